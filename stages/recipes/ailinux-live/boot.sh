#!/bin/bash
# Starts the ISO in QEMU, under BIOS and under UEFI, until the login prompt and the line of ailinux-ready.service are there.
#
# In:   TIME_LIMIT (seconds a boot may take); /in/ailinux.iso; /dev/kvm where the host has it and its user may use it
# Out:  /out/boot-logs/{bios,uefi}.log (the serial console), {bios,uefi}.qemu.log (what QEMU says),
#       summary (the ready lines)
set -euo pipefail

logs=/out/boot-logs
mkdir -p "$logs"
firmware_code=/usr/share/OVMF/OVMF_CODE_4M.fd
firmware_vars=/usr/share/OVMF/OVMF_VARS_4M.fd
# A machine under KVM that has not written a byte after this many seconds will not: GRUB writes within two or three.
silence=20

say() { printf '%s\n' "$*"; }

# start FIRMWARE ACCELERATOR: QEMU in the background, its serial line in FIRMWARE.log; sets `machine` to its process id.
start() {
    local firmware=$1 accelerator=$2 options=()
    if [ "$firmware" = uefi ]; then
        cp "$firmware_vars" /tmp/vars.fd
        options=(-drive "if=pflash,format=raw,readonly=on,file=$firmware_code" -drive "if=pflash,format=raw,file=/tmp/vars.fd")
    fi
    : > "$logs/$firmware.log"
    qemu-system-x86_64 -machine "pc,accel=$accelerator" -smp 2 -m 1024 "${options[@]}" \
        -cdrom /in/ailinux.iso -display none -monitor none -serial "file:$logs/$firmware.log" -no-reboot -net none \
        < /dev/null > "$logs/$firmware.qemu.log" 2>&1 &
    machine=$!
}

ready_line() { grep -a -o 'AILINUX-LIVE-READY [^[:cntrl:]]*' "$logs/$1.log" | tail -n 1; }

# watch FIRMWARE ACCELERATOR: 0 when it is up, 1 when it failed, 2 when this accelerator does not serve.
watch() {
    local firmware=$1 accelerator=$2 began=$SECONDS waited ended grub=waiting
    while :; do
        waited=$((SECONDS - began))
        if [ "$grub" = waiting ] && grep -a -q 'Booting .AILinux' "$logs/$firmware.log"; then
            grub=passed
            say "$firmware: GRUB starts the kernel after $waited s"
        fi
        if grep -a -q ' login: ' "$logs/$firmware.log" && [ -n "$(ready_line "$firmware")" ]; then
            say "$firmware: login prompt and ready line after $waited s ($accelerator)"
            return 0
        fi
        ended=no
        kill -0 "$machine" 2> /dev/null || ended=yes
        if [ "$accelerator" = kvm ]; then
            if grep -q 'KVM internal error' "$logs/$firmware.qemu.log"; then return 2; fi
            if [ ! -s "$logs/$firmware.log" ] && { [ $ended = yes ] || [ "$waited" -ge "$silence" ]; }; then return 2; fi
        fi
        if [ $ended = yes ]; then
            say "$firmware: QEMU ended by itself after $waited s"
            return 1
        fi
        if [ "$waited" -ge "$TIME_LIMIT" ]; then
            say "$firmware: not up after $waited s"
            return 1
        fi
        sleep 0.5
    done
}

# boot FIRMWARE: the whole trial of one firmware; its last line goes to the summary.
boot() {
    local firmware=$1 accelerator verdict line
    for accelerator in "${accelerators[@]}"; do
        start "$firmware" "$accelerator"
        verdict=0
        watch "$firmware" "$accelerator" || verdict=$?
        kill "$machine" 2> /dev/null || :
        wait "$machine" 2> /dev/null || :
        [ "$verdict" = 2 ] || break
        say "$firmware: /dev/kvm opens, but no firmware starts under it here: emulating instead"
    done
    line=$(ready_line "$firmware" || :)
    if [ "$verdict" = 0 ]; then
        case "$line " in
            *' failed=0 root=root:shadow '*) printf '%s %s\n' "$firmware" "$line" > "$logs/$firmware.verdict"; return 0 ;;
        esac
        say "$firmware: it came up, but not as it should: $line"
    fi
    say "$firmware: last lines of the console:"
    tail -n 25 "$logs/$firmware.log" | tr -d '\r' | sed "s/^/$firmware| /"
    sed "s/^/$firmware: qemu: /" "$logs/$firmware.qemu.log"
    return 1
}

accelerators=(tcg)
if [ -c /dev/kvm ] && { : <> /dev/kvm; } 2> /dev/null; then
    accelerators=(kvm tcg)
else
    say "no usable /dev/kvm: emulating, which takes a minute or two"
fi

# Side by side: most of a boot uses one processor, so on two processors both take less time than one after the other.
failed=()
boot bios & bios=$!
boot uefi & uefi=$!
wait "$bios" || failed+=(bios)
wait "$uefi" || failed+=(uefi)
cat "$logs"/*.verdict > "$logs/summary" 2> /dev/null || :
rm -f "$logs"/*.verdict
[ ${#failed[@]} = 0 ] || { say "boot: failed under: ${failed[*]}" >&2; exit 1; }
