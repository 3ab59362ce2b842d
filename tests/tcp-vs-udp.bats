#!/usr/bin/env bats
# 03-udp-echo/tcp_vs_udp: that its numbers are complete and agree with each other. Never how fast.

# shellcheck disable=SC2016 # $f["..."] is for awk, not for the shell
load helper

# measure ARG...: runs it once; its table in $TABLE, its numbers in $CSV
measure() {
    TABLE=$BATS_TEST_TMPDIR/table CSV=$BATS_TEST_TMPDIR/csv
    (cd "$BATS_TEST_TMPDIR" && lesson 03-udp-echo/tcp_vs_udp "$@" --csv csv >table 2>progress)
    tr -d '\r' <"$CSV" >"$CSV.unix" && mv "$CSV.unix" "$CSV"
}

# Every row of the CSV for which the awk condition does not hold, as a failure.
all_rows() { # CONDITION: fields by their names in the header
    awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) f[$i] = i; next }
        { rows++ } !('"$1"') { print "does not hold in: " $0; bad = 1 }
        END { exit bad || !rows }' "$CSV"
}

near() { # A B TOLERANCE as awk text: |A - B| is at most the tolerance's share of B
    echo "(($1) - ($2)) ^ 2 <= (($2) * $3) ^ 2 + 1e-9"
}

@test "the table has a row for each method at each size" {
    measure --quick --sizes 1,1400,8192
    want="stream-tcp stream-nodelay stream-udp fresh-tcp fresh-udp kept-tcp kept-udp"
    for method in $want; do
        [ "$(grep -c "^$method," "$CSV")" = 3 ]
    done
    # Pieces only where a message is larger than one.
    for method in fresh-pieces kept-pieces; do
        [ "$(grep "^$method," "$CSV" | cut -d, -f2)" = 8192 ]
    done
    # The printed rows are those of the CSV.
    [ "$(grep -cE '^ +[0-9]+  (TCP|UDP)' "$TABLE")" = "$(($(wc -l <"$CSV") - 1))" ]
    [ "$(grep -c '^Streaming\|^Exchange on a fresh\|^Exchange on a kept' "$TABLE")" = 3 ]
}

@test "all received and all lost is all sent, in messages and in bytes" {
    measure --quick --sizes 1,1400,65507
    all_rows '$f["sent"] == $f["received"] + $f["lost"] && $f["lost"] >= 0'
    all_rows '$f["sent_bytes"] == $f["sent"] * $f["bytes"] * ($1 ~ /^stream/ ? 1 : 2)'
    all_rows '$f["received_bytes"] == $f["received"] * $f["bytes"] * ($1 ~ /^stream/ ? 1 : 2)'
    all_rows '$f["received"] > 0 && $f["seconds"] > 0'
}

@test "TCP loses nothing" {
    measure --quick --sizes 1,512,65507
    all_rows '$1 !~ /tcp|nodelay/ || $f["lost"] == 0'
}

@test "rates are what was received by the time it took" {
    measure --quick --sizes 64,8192
    all_rows "$(near '$f["per_second"]' '$f["received"] / $f["seconds"]' 0.001)"
    all_rows "$(near '$f["MB_per_s"]' '$f["received_bytes"] / $f["seconds"] / 1e6' 0.001)"
    all_rows "$(near '$f["cpu_s_per_GB"]' \
        '($f["near_cpu_s"] + $f["far_cpu_s"]) / $f["received_bytes"] * 1e9' 0.01)"
    # And the table prints the same.
    awk -F, '$1 == "stream-udp" && $2 == 64 { printf "%.0f\n", $9 }' "$CSV" >"$BATS_TEST_TMPDIR/rate"
    [ "$(awk '$1 == 64 && $2 == "UDP" { print $3; exit }' "$TABLE")" = "$(cat "$BATS_TEST_TMPDIR/rate")" ]
}

@test "both ends' processor time is counted" {
    not_on_windows "its clock ticks every 16 ms"
    measure --seconds 0.1 --rounds 1 --sizes 1400 --only stream
    all_rows '$f["near_cpu_s"] > 0 && $f["far_cpu_s"] > 0'
}

@test "a small receive buffer loses datagrams, and they are counted" {
    for _ in 1 2 3 4 5; do # a sender that is slow, on a busy machine, may lose nothing
        measure --seconds 0.2 --rounds 1 --sizes 1400 --buffer 4096 --only stream-udp
        ! all_rows '$f["lost"] > 0 && $f["received"] > 0' || break
    done
    all_rows '$f["lost"] > 0 && $f["received"] > 0'
    [ "$(grep -c ' 0.0% ' "$TABLE")" = 0 ]
}

@test "the kernel counts the same datagrams as lost" {
    not_on_windows "/proc/net/snmp is Linux"
    [ "$(uname)" = Linux ] || skip "/proc/net/snmp is Linux"
    dropped() { awk '/^Udp:/ { if (n++) print $6 }' /proc/net/snmp; } # RcvbufErrors
    before=$(dropped)
    measure --seconds 0.1 --rounds 1 --sizes 1400 --buffer 4096 --only stream-udp
    after=$(dropped)
    # At least: other programs of this machine may lose some too.
    all_rows "\$f[\"lost\"] <= $((after - before))"
}

@test "the verdict agrees with the numbers" {
    measure --seconds 0.01 --rounds 3 --sizes 1,1400,8192,65507
    # From the CSV the same judgement once more: row by row, in the verdict's own words.
    awk -F, 'NR > 1 { rate[$1, $2] = $9; }
        function judge(what, tcp, udp,    i, n, r, first, last, most, s) {
            n = split("1 1400 8192 65507", s, " ")
            for (i = 1; i <= n; i++) {
                if (!((tcp, s[i]) in rate) || !((udp, s[i]) in rate)) continue
                r = rate[tcp, s[i]] / rate[udp, s[i]]
                if (!first) first = r
                last = r
                if (r > most) most = r
            }
            printf "%s|%.2f|%.2f|%s|%.2f|%s\n", what, first, last, (most > 1.05 ? "false" : "true"), most,
                (first < 1 / 1.05 && last > first * 1.05 ? "true" : "false")
        }
        END {
            judge("stream", "stream-tcp", "stream-udp")
            judge("stream, TCP_NODELAY", "stream-nodelay", "stream-udp")
            judge("fresh exchange", "fresh-tcp", "fresh-udp")
            judge("fresh, UDP in pieces", "fresh-tcp", "fresh-pieces")
            judge("kept exchange", "kept-tcp", "kept-udp")
            judge("kept, UDP in pieces", "kept-tcp", "kept-pieces")
        }' "$CSV" >"$BATS_TEST_TMPDIR/expected"
    awk '/^(stream|fresh|kept).* at / {
            what = substr($0, 1, 21); sub(/ +$/, "", what)
            rest = substr($0, 22); gsub(/ at +[0-9]+/, "", rest); split(rest, w, " ")
            print what "|" w[1] "|" w[2] "|" w[3] "|" w[4] "|" w[5]
        }' "$TABLE" >"$BATS_TEST_TMPDIR/printed"
    diff "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/printed"
}

@test "what it tested and how is said" {
    measure --quick --sizes 64
    grep -q 'congestion control: ' "$TABLE"
    grep -qi 'processor' "$TABLE"
    grep -qE 'UDP receive buffer: [0-9]+ bytes' "$TABLE"
    grep -q '^Verdict: "TCP is never faster than UDP' "$TABLE"
}

@test "it tells how far it has come while it measures" {
    measure --seconds 0.01 --rounds 2 --sizes 64
    grep -q 'round 1 of 2: streams' "$BATS_TEST_TMPDIR/progress"
    grep -q 'round 2 of 2: kept' "$BATS_TEST_TMPDIR/progress"
}

@test "one processor is enough, and the table says so" {
    not_on_windows "processors are chosen on Linux only"
    need taskset
    prog 03-udp-echo/tcp_vs_udp
    cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
    taskset -c "$cpu" "${PROG[@]}" --quick --sizes 64 --only stream --csv "$BATS_TEST_TMPDIR/csv" \
        >"$BATS_TEST_TMPDIR/table" 2>/dev/null 3>&-
    CSV=$BATS_TEST_TMPDIR/csv
    all_rows "\$f[\"near_processor\"] == $cpu && \$f[\"far_processor\"] == $cpu"
    grep -q "sender on processor $cpu, receiver on $cpu" "$BATS_TEST_TMPDIR/table"
}

@test "the far end ends when the near end is killed" {
    not_on_windows "a process under Wine is not seen by its parent's pid"
    prog 03-udp-echo/tcp_vs_udp
    start run "${PROG[@]}" --seconds 60 --sizes 64 --only stream-tcp
    wait_line run 'round 1'
    for _ in $(seq 250); do
        far=$(pgrep -P "$STARTED_PID") && break
        sleep 0.02
    done
    [ -n "$far" ]
    kill -9 "$STARTED_PID"
    for _ in $(seq 250); do
        kill -0 "$far" 2>/dev/null || break
        sleep 0.02
    done
    run kill -0 "$far"
    [ "$status" != 0 ]
}

@test "wrong arguments get one line and exit 2" {
    for wrong in '--sizes 0' '--sizes 65508' '--sizes 64,1' '--sizes 1,,2' '--sizes x' '--sizes' \
        '--seconds 0' '--seconds nan' '--seconds 61' '--rounds 0' '--rounds 1.5' '--rounds 99' \
        '--buffer 0' '--only nothing' '--only' '--csv' 'what'; do
        # shellcheck disable=SC2086
        run lesson 03-udp-echo/tcp_vs_udp $wrong
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
        [[ ${lines[0]} == "tcp_vs_udp: "*"see tcp_vs_udp --help"* ]]
    done
}

@test "--help says how to use it" {
    run lesson 03-udp-echo/tcp_vs_udp --help
    [ "$status" = 0 ]
    [[ ${lines[0]} == "usage: tcp_vs_udp "* ]]
}

@test "a CSV file that cannot be written is reported" {
    run lesson 03-udp-echo/tcp_vs_udp --quick --sizes 64 --only kept-udp --csv no/such/folder
    [ "$status" = 1 ]
    [[ $output == *"tcp_vs_udp: no/such/folder: No such file or directory"* ]]
}
