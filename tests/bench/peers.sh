#!/bin/bash
# The same jail by other programs, for scripts/bench: user, mount, PID, network, IPC, UTS and cgroup namespaces; a root of
# /usr read-only, a fresh /proc, /dev and /tmp; one payload.
#
#   peers.sh WORK STAGEBOX FLOOR PROGRAM [ARGUMENTS]
#
# Prints a line for each peer that runs here: its name, a tab, the words of the command. A peer that does not run here is
# named on standard error, with what it said. FLOOR may be empty. In WORK, which has to be reachable for everybody, it makes what
# they need. With PEERS_FILTER in the environment the runtimes get the filter that podman would give them.
set -euo pipefail

work=$1 stagebox=$2 floor=$3
shift 3
program=$1 arguments=("${@:2}")
name=${program##*/}

root=$work/root
if [ ! -d "$root" ]; then
    mkdir -p "$root"/{usr,proc,dev,tmp,sys,in}
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    ln -s usr/bin "$root/bin"
    : > "$root/payload"
    chmod 755 "$root"
fi

# What a runtime is given by podman: the list as it is, without what is for jails that have more capabilities.
filter() {
    local list=/usr/share/containers/seccomp.json
    [ -n "${PEERS_FILTER:-}" ] || { echo null; return; }
    jq '{ defaultAction, defaultErrnoRet,
          architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
          syscalls: [.syscalls[]
              | select((.includes.caps // []) == [] and (.includes.arches // ["amd64"] | contains(["amd64"]))
                       and (.excludes.arches // [] | contains(["amd64"]) | not))
              | { names, action, args: (.args // []) } + (if .errnoRet then { errnoRet } else {} end)] }' "$list"
}

# The container runtimes take a bundle: a root and a configuration. Root's jail has an unprivileged id outside, as Stagebox's.
bundle() {
    local bundle=$work/bundle-$name${PEERS_FILTER:+-filter} uid gid
    uid=$(id -u) gid=$(id -g)
    [ "$uid" != 0 ] || uid=1879048192 gid=1879048192
    mkdir -p "$bundle"
    (cd "$bundle" && rm -f config.json && crun spec --rootless)
    filter > "$bundle/filter"
    jq --arg root "$root" --arg program "$program" --argjson uid "$uid" --argjson gid "$gid" \
        --slurpfile filter "$bundle/filter" '
        .process.args = ["/payload"] + $ARGS.positional | .process.terminal = false | .process.rlimits = []
        | .root = { path: $root, readonly: false } | .hostname = "peer"
        | .linux.uidMappings = [{ containerID: 0, hostID: $uid, size: 1 }]
        | .linux.gidMappings = [{ containerID: 0, hostID: $gid, size: 1 }]
        | .linux.resources = {} | .linux.seccomp = $filter[0]
        | .linux.namespaces = [("user", "mount", "pid", "network", "ipc", "uts", "cgroup") | { type: . }]
        | .mounts = [
            { destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro", "nosuid", "nodev"] },
            { destination: "/proc", type: "proc", source: "proc" },
            { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
            { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
            { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev"] },
            { destination: "/payload", type: "bind", source: $program, options: ["bind", "ro"] }]
        ' "$bundle/config.json" --args "${arguments[@]}" > "$bundle/new"
    mv "$bundle/new" "$bundle/config.json"
    printf '%s' "$bundle"
}

# peer NAME COMMAND...: if it works
peer() {
    local said
    if ! command -v "$2" > /dev/null; then
        printf '%s: is not installed\n' "$1" >&2
    elif ! said=$("${@:2}" 2>&1 < /dev/null); then
        printf '%s: does not run here: %s\n' "$1" "$(tail -n 1 <<< "$said")" >&2
    else
        printf '%s\t%s\n' "$1" "${*:2}"
    fi
}

options=(--unshare-all --die-with-parent --new-session --ro-bind /usr /usr --symlink usr/lib /lib
    --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$program" /payload)
[ -z "$floor" ] || peer floor "$floor" "$program" "${arguments[@]}"
peer stagebox "$stagebox" run "${options[@]}" -- /payload "${arguments[@]}"
peer bwrap bwrap "${options[@]}" /payload "${arguments[@]}"
if command -v crun jq > /dev/null; then
    runtime=$(bundle)
    peer crun crun --root "$work/state" --cgroup-manager=disabled run -b "$runtime" bench
    peer runc runc --root "$work/state" run -b "$runtime" bench
fi
[ -z "${PEERS_FILTER:-}" ] || exit 0
install -D "$program" "$root/payload"
peer firejail firejail --quiet --noprofile --net=none --ipc-namespace --caps.drop=all --nonewprivs \
    "$program" "${arguments[@]}"
peer systemd-nspawn systemd-nspawn --quiet --register=no --keep-unit --private-network --private-users=524288:65536 \
    -D "$root" /payload "${arguments[@]}"
peer podman podman run --rm --quiet --network=none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --rootfs "$root" /payload "${arguments[@]}"
