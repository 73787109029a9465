#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# make-samples.sh - makes samples/*.pcapng anew, in the lab (root; make samples).
#
#   samples/make-samples.sh [NAME...]
#
# Each sample is what podhop captured on node1 for the pod default/web; samples/README.md says
# what it shows. The files are part of the tests' input: tests/cli/golden.sh reads them.
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
here=$(cd "$(dirname "$0")" && pwd)
LAB_PREFIX=s
. "$here/../tests/lib/lab.sh"
lab_test
MAX_BYTES=102400

# sample NAME UP-OPTIONS: a lab, its capture running
sample() {
	name=$1
	shift
	lab_up "$@"
	capture node1 default/web -w "$dir/$name.pcapng" -s 256
}

# keep: ends capture and lab, puts the file in its place
keep() {
	local size
	capture_end node1
	[[ $status == 0 ]] || bail "$name: $(cat "$dir/node1.err")"
	lab_down
	size=$(stat -c %s "$dir/$name.pcapng")
	((size <= MAX_BYTES)) || bail "$name: $size bytes"
	install -m 644 "$dir/$name.pcapng" "$here/$name.pcapng"
	echo "samples/$name.pcapng: $size bytes"
}

remote() {
	sample remote --offload off
	tcp web api "$POD_API_IP" -n 6000 -- -n 6000
	udp web api "$POD_API_IP" 5 -s 100-1000
	on web ping -q -c 3 -i 0.05 "$POD_API_IP" >/dev/null
	keep
}

service() {
	sample service --offload off --service "10.96.0.10:80=api:8080"
	tcp web api 10.96.0.10 -p 80 -n 3000 -- -p 8080 -n 3000
	keep
}

segments() {
	sample segments
	tcp web api "$POD_API_IP" -n 120000
	keep
}

segments_off() {
	sample segments-off --offload off
	tcp web api "$POD_API_IP" -n 60000
	keep
}

ipv6() {
	sample ipv6 --offload off --ipv6
	tcp web api "$POD_API_IP6" -n 6000 -- -n 6000
	udp web api "$POD_API_IP6" 3
	on web ping -q -c 2 -i 0.05 "$POD_API_IP6" >/dev/null
	keep
}

fragments() {
	sample fragments --offload off --underlay-mtu 1400
	udp web api "$POD_API_IP" 4 -s 1390
	udp web api "$POD_API_IP" 2 -s 4000
	keep
}

loss() {
	sample loss --offload off
	# The forwarding path between bridge and VTEP loses what has this length.
	ip netns exec "$NODE1_NS" nft -f - <<-'END'
		table inet sample {
			chain forward {
				type filter hook forward priority 0;
				udp length 508 counter drop
			}
		}
	END
	udp web api "$POD_API_IP" 5 -s 100
	# A loss is one only when its window passed with the capture running, on both sides.
	wait_window
	on web "$TOOLS/udpecho" client -n 3 -o -s 500 -b 100 "$POD_API_IP" >/dev/null 2>&1
	wait_window
	keep
}

# Traffic that goes on for a window (2 s).
wait_window() {
	on web ping -q -c 6 -i 0.5 "$POD_API_IP" >/dev/null
}

(($#)) || set -- remote service segments segments_off ipv6 fragments loss
for s in "$@"; do
	"$s"
done
