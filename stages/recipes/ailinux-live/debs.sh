#!/bin/bash
# Downloads every package of the live system and proves each one, without touching the host's own apt: the configuration,
# the lists and the (empty) list of installed packages are private to this stage. The only stage with a network.
#
# In:   SUITE, SOURCE_DATE_EPOCH; /in/packages.txt; the host's apt sources and keyrings under /etc/apt
# Out:  /out/debs/  *.deb
#                   SHA256SUMS       of every .deb, as the signed package lists have it, checked here against the files
#                   essential.list   file names of the essential set, in the order apt would install them
#                   rest.list        file names of all others, in that order
#                   sources.list     for the image: the sources used here, in one-line form
# The same packages give the same bytes: nothing of apt's logs, lists and locks is exported.
set -euo pipefail
shopt -s nullglob

work=$(mktemp -d)
out=/out/debs
mkdir -p "$work"/{state/lists/partial,cache,parts,sources} "$out/partial"
# apt downloads as the user _apt.
chmod 755 "$work"
: > "$work/status"

say() { printf '%s\n' "$*"; }
die() { printf 'debs: %s\n' "$*" >&2; exit 1; }

# --- Which of the host's sources: Debian's archive areas of this suite, its updates and its security suite ---

# Reads a deb822 file; writes each stanza that serves us to a file of its own, with the other suites and areas left out.
# So are the options that make apt do without a signature: where the host trusts blindly, this build does not.
take_deb822() {
    awk -v suite="$SUITE" -v prefix="$2" '
        function chosen(words, pattern,    n, i, list, kept) {
            n = split(words, list)
            for (i = 1; i <= n; i++) if (list[i] ~ pattern) kept = kept " " list[i]
            return kept
        }
        function take(    suites, areas, name, file) {
            suites = chosen(field["suites"], "^" suite "(-updates|-security|/updates)?$")
            areas = chosen(field["components"], "^(main|contrib|non-free|non-free-firmware)$")
            if (chosen(field["types"], "^deb$") && suites && areas && tolower(field["enabled"]) !~ /no|false|0|off/) {
                file = prefix "-" ++count ".sources"
                print "Types: deb\nSuites:" suites "\nComponents:" areas > file
                for (name in field)
                    if (name !~ /^(types|suites|components|enabled|trusted|allow-.*)$/) print name ":" field[name] > file
                close(file)
            }
            split("", field)
        }
        { sub(/\r$/, "") }
        /^#/ { next }
        /^[ \t]*$/ { take(); next }
        /^[ \t]/ { field[last] = field[last] "\n" $0; next }
        { last = tolower(substr($0, 1, index($0, ":") - 1)); field[last] = substr($0, index($0, ":") + 1) }
        END { take() }
    ' "$1"
}

# The same for the one-line form: deb [options] URI suite area...
take_one_line() {
    awk -v suite="$SUITE" -v prefix="$2" '
        { sub(/#.*/, "") }
        $1 != "deb" { next }
        {
            options = ""
            rest = $0
            sub(/^[ \t]*deb[ \t]+/, "", rest)
            if (rest ~ /^\[/) {
                options = substr(rest, 1, index(rest, "]")) " "
                gsub(/(trusted|allow-[a-z-]+)=[^] \t]*/, "", options)
                rest = substr(rest, index(rest, "]") + 1)
            }
            n = split(rest, word)
            if (word[2] !~ "^" suite "(-updates|-security|/updates)?$") next
            areas = ""
            for (i = 3; i <= n; i++) if (word[i] ~ /^(main|contrib|non-free|non-free-firmware)$/) areas = areas " " word[i]
            if (!areas) next
            file = prefix "-" ++count ".list"
            print "deb " options word[1] " " word[2] areas > file
            close(file)
        }
    ' "$1"
}

number=100
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
    [ -r "$file" ] || continue
    number=$((number + 1))
    case $file in
        *.sources) take_deb822 "$file" "$work/sources/$number" ;;
        *) take_one_line "$file" "$work/sources/$number" ;;
    esac
done
[ -n "$(ls "$work/sources")" ] || die "the apt sources of this machine (/etc/apt) have no enabled entry for the Debian suite '$SUITE'"

# --- A private apt ---

# How the host reaches the network (proxies, certificates, retries) holds here as well; its hooks and other habits do not.
apt-config dump | grep -E '^Acquire::(https?|ftp|Retries|ForceIPv[46]|Check-(Valid-Until|Date)|Max-ValidTime)\b' \
    > "$work/parts/10host" || :
cat > "$work/parts/20stage" <<CONF
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Cache::archives "$out";
Dir::Log "$work";
Dir::Etc::main "/dev/null";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
cat > "$work/apt.conf" <<CONF
Dir::Etc::parts "$work/parts";
CONF
export APT_CONFIG="$work/apt.conf"

say "reading the package lists"
apt-get -q update

# A source that is not Debian's can bear the same suite name. Only what a Release file signed for Debian covers is used.
# shellcheck disable=SC2016  # the words with $ are apt's
apt-get indextargets --format '$(SOURCESENTRY)|$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' > "$work/targets"
while IFS='|' read -r entry origin uri release area; do
    case $origin in
        Debian) printf '%s|%s|%s\n' "$release" "$uri" "$area" >> "$work/used" ;;
        *) say "leaving out $release of '$origin': not Debian's"; rm -f "${entry%:*}" ;;
    esac
done < "$work/targets"
[ -s "$work/used" ] || die "no source of the suite '$SUITE' is Debian's own"

# --- What is wanted ---

# usr-is-merged says that the root is made with merged /usr from the start; without it, usrmerge would draw in all of perl.
essential=('?essential' usr-is-merged)
wanted=("${essential[@]}" '?priority(required)' apt)
while read -r package; do
    wanted+=("$package")
done < <(sed 's/#.*//' /in/packages.txt | xargs -n1)

in_order() { apt-get -s install "$@" | awk '$1 == "Inst" { print $2 }'; }
in_order "${essential[@]}" > "$work/essential.names"
in_order "${wanted[@]}" > "$work/all.names"
grep -vxFf "$work/essential.names" "$work/all.names" > "$work/rest.names"

# Name, file and hash of each package, as the signed lists have them: 'URI' FILE SIZE SHA256:HASH
apt-get -qq -o Acquire::ForceHash=SHA256 --print-uris install "${wanted[@]}" > "$work/uris"
if grep -qv ' SHA256:[0-9a-f]\{64\}$' "$work/uris"; then
    die "the package lists have no SHA-256 for: $(grep -v ' SHA256:[0-9a-f]\{64\}$' "$work/uris" | awk '{ print $2 }' | xargs)"
fi

say "downloading $(wc -l < "$work/uris") packages, $(awk '{ size += $3 } END { printf "%.1f", size / 1048576 }' "$work/uris") MiB"
apt-get -qq --download-only install "${wanted[@]}"
rm -rf "$out/partial" "$out/lock"

# --- Proof, and the lists ---

awk '{ sub(/SHA256:/, "", $4); print $4 "  " $2 }' "$work/uris" | LC_ALL=C sort -k2 > "$out/SHA256SUMS"
cd "$out"
sha256sum --check --strict --quiet SHA256SUMS || die "a package does not have the hash that the signed list gives it"
awk '{ print $2 }' SHA256SUMS | LC_ALL=C sort > "$work/listed"
for file in *.deb; do printf '%s\n' "$file"; done | LC_ALL=C sort | cmp -s - "$work/listed" || die "the packages downloaded are not the packages listed"

for list in essential rest; do
    awk 'NR == FNR { split($2, part, "_"); file[part[1]] = $2; next }
         !($1 in file) { print "debs: no file for the package " $1 > "/dev/stderr"; exit 1 }
         { print file[$1] }' "$work/uris" "$work/$list.names" > "$list.list"
done

# For the image: without keyring options (Debian's own keys are in place there) and without credentials in the address.
LC_ALL=C sort -u -t "|" -k1,1 -k2,2 -k3,3 "$work/used" | awk -F'|' '
    $2 !~ /^(file|copy|cdrom):/ {
        sub("//[^/@]*@", "//", $2)
        sub("/$", "", $2)
        line = $2 " " $1
        if (!(line in areas)) order[++n] = line
        areas[line] = areas[line] " " $3
    }
    END { for (i = 1; i <= n; i++) print "deb " order[i] areas[order[i]] }' > sources.list

chmod 644 ./*
touch -d "@$SOURCE_DATE_EPOCH" ./*
say "$(wc -l < essential.list) essential and $(wc -l < rest.list) other packages, each with the hash of the signed lists"
