#!/bin/sh
# Be one machine: an overlay on the base root for every logical server, then sshd. Runs in namespaces of its own (mount,
# process, host name, network), so all of it is gone when it ends.
# usage: server.sh BASE LAYER MACHINE NAME...   the first name is the machine's own root; others are chroots of sshd
set -eu
base=$1 layer=$2 machine=$3
shift 3
mount --make-rprivate /
hostname "$1"

# mounted ROOT DISK: what a server sees; only its disk is on this machine's disk, where fsync costs what it costs
mounted() {
    mkdir -p "$1" "$2/upper" "$2/work"
    mount -t overlay -o "lowerdir=$layer:$base,upperdir=$2/upper,workdir=$2/work" bench "$1"
    mount -t proc proc "$1/proc"
    mount --bind /dev "$1/dev"
    mount --rbind /sys "$1/sys"
    mount -t tmpfs -o mode=0755 tmpfs "$1/run"
    mkdir "$1/run/sshd"
}

mounted "$machine/root" "$machine/disks/$1"
first=$1
shift
for name; do
    mounted "$machine/root/servers/$name" "$machine/disks/$name"
done
cp "$machine/sshd_config" "$machine/host_key" "$machine/root/etc/ssh/"
chmod 600 "$machine/root/etc/ssh/host_key"
exec chroot "$machine/root" /usr/sbin/sshd -D -f /etc/ssh/sshd_config -E /var/log/bench-ssh.log
