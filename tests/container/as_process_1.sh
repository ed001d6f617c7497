#!/bin/sh
# Runs a command as an orchestrator with strict rules would run a container: as process 1, as the given user, without
# a way to gain privileges, on a read-only file system with only /tmp and /dev/shm to write to. It must be started in
# new mount, pid and ipc namespaces, with which all that is mounted here disappears. The network is the host's.
#
#     unshare --mount --pid --ipc --fork sh as_process_1.sh FOLDER USER GROUP COMMAND...
set -eu

folder=$1
user=$2
group=$3
shift 3

mount --bind "$folder" "$folder"
mount -o remount,bind,ro "$folder"
mount -t proc proc "$folder/proc"
mount -t tmpfs -o mode=1777 tmpfs "$folder/tmp"
mount -t tmpfs -o mode=755 tmpfs "$folder/dev"
for device in full null random urandom zero; do
    : >"$folder/dev/$device"
    mount --bind "/dev/$device" "$folder/dev/$device"
done
mkdir -m 1777 "$folder/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$folder/dev/shm"

# --pdeathsig comes with the change of user, which would undo one that was set before: the end of whoever started the
# namespaces is the end of all that runs in them.
exec chroot "$folder" setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs --pdeathsig=KILL "$@"
