#!/bin/sh
# Runs a command where openCryptoki's software token is slot 3, with everything that belongs to it below FOLDER:
#
#     unshare --mount --ipc --pid --fork --kill-child --mount-proc scripts/devices/opencryptoki.sh FOLDER COMMAND...
#
# Its paths are compiled in, so that the folder is mounted over them, seen by this mount namespace alone. The daemon and the
# shared memory are in the namespaces of the command too, and end with it. The token's user PIN is in FOLDER/user.pin.
set -eu
folder=$1
shift
user_pin=$folder/user.pin

mkdir -p "$folder/etc" "$folder/state/swtok/TOK_OBJ"
cat >"$folder/etc/opencryptoki.conf" <<'CONFIGURATION'
version opencryptoki-3.1
slot 3
{
stdll = libpkcs11_sw.so
}
CONFIGURATION
chgrp -R pkcs11 "$folder/state"
chmod -R 770 "$folder/state"

mount --bind "$folder/etc" /etc/opencryptoki
mount --bind "$folder/state" /var/lib/opencryptoki
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock/opencryptoki/swtok
chgrp -R pkcs11 /run/lock/opencryptoki
chmod -R 770 /run/lock/opencryptoki

pkcsslotd
tries=100
while [ ! -S /run/pkcsslotd.socket ]; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo 'pkcsslotd has not opened its socket' >&2; exit 1; }
  sleep 0.05
done

if [ ! -e "$user_pin" ]; then
  # A token of openCryptoki is born with the SO PIN 87654321, and takes no PIN of more than 8 characters.
  so=$(head -c 4 /dev/urandom | od -An -tx4 | tr -d ' \n')
  user=$(head -c 4 /dev/urandom | od -An -tx4 | tr -d ' \n')
  echo validation | pkcsconf -c 3 -I -S 87654321 >/dev/null
  pkcsconf -c 3 -P -S 87654321 -n "$so" >/dev/null
  # What the security officer sets must be changed by the user before it is good for anything.
  pkcsconf -c 3 -u -S "$so" -n 12345678 >/dev/null
  pkcsconf -c 3 -p -U 12345678 -n "$user" >/dev/null
  umask 077
  printf %s "$user" >"$user_pin"
fi

exec "$@"
