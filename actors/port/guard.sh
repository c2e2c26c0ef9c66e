#!/bin/sh
# Runs a command that ignores its stdin (a JVM) so that it ends when stdin ends.
#
# A process of K2 ends by itself when its stdin ends, because that happens however K2 dies, also of
# kill -9. A JVM does not read stdin, so this shell reads for it: at the end of stdin the command
# gets TERM, and KILL when it is still there after the grace.
#
# usage: guard.sh <grace in seconds> <command> [argument…]
grace_s=$1
shift
exec 3<&0

"$@" </dev/null 3<&- &
command_pid=$!

# The reader ignores TERM: a TERM to the whole group must not leave the command without its guard.
# It holds no stdout or stderr, else whoever reads those would wait for it. The reads are the
# shell's own, so that no further process stands in the group.
(
  trap '' TERM INT HUP
  while read -r _ <&3; do :; done
  kill -TERM "$command_pid"
  waited_s=0
  while [ "$waited_s" -lt "$grace_s" ] && kill -0 "$command_pid"; do
    sleep 1
    waited_s=$((waited_s + 1))
  done
  kill -KILL "$command_pid"
) >/dev/null 2>&1 &
reader_pid=$!
exec 3<&-

trap 'kill -TERM "$command_pid" 2>/dev/null' TERM INT HUP
# A trapped signal interrupts wait, so wait again until the command is really gone.
while :; do
  wait "$command_pid"
  status=$?
  kill -0 "$command_pid" 2>/dev/null || break
done
trap '' TERM INT HUP
kill -KILL "$reader_pid" 2>/dev/null
exit "$status"
