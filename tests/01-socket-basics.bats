#!/usr/bin/env bats
# Lesson 01: what a socket is, addresses and ports, a web server and a web client.
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and means to be
load helper

L=01-socket-basics

setup() {
    SITE=$BATS_TEST_TMPDIR/site
    mkdir -p "$SITE/sub"
    echo '<p>the first page</p>' >"$SITE/index.html"
    echo '<p>the page below</p>' >"$SITE/sub/index.html"
    echo 'kept private' >"$BATS_TEST_TMPDIR/secret.txt"
}

# Starts the server on $SITE, with more arguments if given; sets PORT and URL.
serve() {
    prog $L/web_server
    start_server server "${PROG[@]}" "$SITE" 127.0.0.1 0 "$@"
    URL=http://127.0.0.1:$PORT
}

# Sends the bytes (as for printf) on a connection of their own, prints the answer.
ask() {
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    # shellcheck disable=SC2059
    printf "$1" >&4
    timeout 20 cat <&4 3>&- | tr -d '\r'
    exec 4>&-
}

# The status line alone.
status_of() {
    ask "$1" | head -n 1
}

# A server that reads one request and sends the file, whatever is in it.
serve_bytes() {
    need socat
    cat >"$BATS_TEST_TMPDIR/reply.sh" <<END
while IFS= read -r line && [ "\${#line}" -gt 1 ]; do :; done
cat '$1'
END
    start_server raw socat -d -d TCP-LISTEN:0,bind=127.0.0.1 "EXEC:sh $BATS_TEST_TMPDIR/reply.sh"
    URL=http://127.0.0.1:$PORT
}

# ---- a socket as a file

# bats has files of its own open, between which ours would be scattered.
with_few_files_open() {
    local fd
    for fd in $(seq 3 50); do eval "exec $fd>&-"; done
    "$@"
}

@test "POSIX: a file and a socket get neighbouring descriptors, and fstat tells them apart" {
    not_on_windows "a SOCKET is no descriptor there"
    run with_few_files_open lesson $L/fd_is_a_file
    [ "$status" = 0 ]
    file=$(sed -nE 's/^an open file +descriptor ([0-9]+) .*S_ISREG.*/\1/p' <<<"$output")
    socket=$(sed -nE 's/^a socket, connected +descriptor ([0-9]+) .*S_ISSOCK.*/\1/p' <<<"$output")
    [ "$socket" = $((file + 1)) ]
}

@test "POSIX: write() and read() move the bytes of a file and of a connection, which has no position" {
    not_on_windows "the file calls fail there"
    run lesson $L/fd_is_a_file
    [ "$status" = 0 ]
    [[ ${lines[3]} =~ ^'file    write('([0-9]+)', "hello", 5) = 5'$ ]]
    file=${BASH_REMATCH[1]}
    [ "${lines[4]}" = "        lseek($file, 0) = 0" ]
    [ "${lines[5]}" = "        read($file, ..., 5) = 5: \"hello\"" ]
    [[ ${lines[6]} =~ ^'socket  write('[0-9]+', "hello", 5) = 5'$ ]]
    [[ ${lines[7]} =~ ^'        lseek('([0-9]+)', 0) = -1: Illegal seek (ESPIPE)'$ ]]
    [ "${lines[8]}" = "        read(${BASH_REMATCH[1]}, ..., 5) = 5: \"hello\"" ]
}

@test "POSIX: a file at its end and a silent connection are told apart, and by name" {
    not_on_windows "the file calls fail there"
    need cc
    # The exercise: what fprintf() holds back, read() does not get.
    mkdir "$BATS_TEST_TMPDIR/L"
    ln -s "$ROOT/common" "$BATS_TEST_TMPDIR/common"
    sed -e 's|result(write(out, "hello", 5));|FILE *f = fdopen(out, "w"); result(fprintf(f, "hello"));|' \
        -e 's/WAIT_MS = 5000/WAIT_MS = 50/' "$ROOT/$L/fd_is_a_file.c" >"$BATS_TEST_TMPDIR/L/a.c"
    cc -o "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/L/a.c" 3>&-
    run "$BATS_TEST_TMPDIR/a" 3>&-
    [ "$status" = 1 ]
    [[ ${lines[5]} =~ ^' '+'read('[0-9]+', ..., 5) = 0'$ ]]
    [[ ${lines[8]} =~ ^' '+'read('[0-9]+', ..., 5) = -1: '.*' (EAGAIN)'$ ]]
    sed -i 's|result(fprintf(f, "hello"));|& fflush(f);|' "$BATS_TEST_TMPDIR/L/a.c"
    cc -o "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/L/a.c" 3>&-
    "$BATS_TEST_TMPDIR/a" 3>&-
}

# ---- kinds of sockets

@test "Internet and stream make TCP, Internet and datagram make UDP" {
    run lesson $L/socket_types
    [ "$status" = 0 ]
    grep -qE '^AF_INET +SOCK_STREAM +made +SOCK_STREAM +(6|-) .* [1-9][0-9]+ +[1-9][0-9]+$' <<<"$output"
    grep -qE '^AF_INET +SOCK_DGRAM +made +SOCK_DGRAM +(17|-) .* [1-9][0-9]+ +[1-9][0-9]+$' <<<"$output"
}

@test "each family is tried with each type, and what cannot be made has an error name" {
    run lesson $L/socket_types
    [ "$(grep -cE '^AF_' <<<"$output")" = 16 ]
    [ "$(grep -E '^AF_' <<<"$output" | grep -cvE ' made | (WSA)?E[A-Z]+ \(')" = 0 ]
    grep -qE '^AF_INET +SOCK_SEQPACKET +(WSA)?E[A-Z]+ ' <<<"$output"
    grep -qE '^AF_(X25|CCITT) +SOCK_SEQPACKET ' <<<"$output"
}

@test "a type that the system has exchanged for another is marked" {
    [ "$(uname -s)" = Linux ] || skip "not on Windows nor macOS: Linux makes AF_UNIX SOCK_RAW a datagram socket"
    not_on_windows "AF_UNIX has no raw sockets there"
    run lesson $L/socket_types
    grep -qE '^AF_UNIX +SOCK_RAW +made +SOCK_DGRAM .*  another type$' <<<"$output"
    [ "$(grep -c 'another type' <<<"$output")" = 1 ]
}

# ---- addresses

@test "every interface's MAC address is shown, as the system itself has it" {
    [ -d /sys/class/net ] || skip "not on Windows nor macOS: /sys/class/net tells the true ones"
    run lesson $L/who_am_i
    [ "$status" = 0 ]
    for net in /sys/class/net/*; do
        mac=$(cat "$net/address" 2>/dev/null) || continue
        case $mac in '' | 00:00:00:00:00:00) continue ;; esac
        [[ $output == *"MAC   $mac"* ]]
    done
}

@test "every interface's IP addresses are shown, as the system itself has them" {
    need ip
    run lesson $L/who_am_i
    for address in $(ip -o addr | awk '$3 ~ /^inet/ { sub("/.*", "", $4); print $4 }'); do
        [[ $output == *"  $address"* ]]
    done
}

@test "the ports of http, ftp and smtp are looked up" {
    grep -qE '^http[[:space:]]+80/tcp' /etc/services || skip "/etc/services is not installed"
    run lesson $L/who_am_i
    [[ $output == *"  http  80"* ]]
    [[ $output == *"  ftp   21"* ]]
    [[ $output == *"  smtp  25"* ]]
}

@test "two sockets on one IP address are told apart by their ports" {
    run lesson $L/who_am_i
    first=$(sed -nE 's/.*first socket, 127.0.0.1:([0-9]+), received "for the first"$/\1/p' <<<"$output")
    second=$(sed -nE 's/.*second socket, 127.0.0.1:([0-9]+), received "for the second"$/\1/p' <<<"$output")
    [ -n "$first" ]
    [ -n "$second" ]
    [ "$first" != "$second" ]
}

@test "a name resolves to its addresses, and a port has two byte orders" {
    run lesson $L/resolve 127.0.0.1 8080
    [ "$status" = 0 ]
    [[ $output == *"IPv4  127.0.0.1:8080 "*"bytes 7f 00 00 01"* ]]
    [[ $output == *"port 8080 = 0x1f90"* ]]
    [[ $output == *"network order): 1f 90"* ]]
    case $(printf '\1\0' | od -An -td2 | tr -d ' ') in
    1) [[ $output == *"host order): 90 1f"* ]] ;;
    *) [[ $output == *"host order): 1f 90"* ]] ;;
    esac
}

@test "a name with several addresses shows every one of them" {
    need getent
    run lesson $L/resolve localhost
    for address in $(getent ahosts localhost | awk '$2 == "STREAM" { print $1 }'); do
        [[ $output == *"$address"* ]]
    done
    run lesson $L/resolve ::1 80
    [[ $output == *"IPv6  [::1]:80 "* ]]
}

@test "a name or service that cannot be resolved gets the resolver's own message" {
    run lesson $L/resolve 127.0.0.1 no-such-service
    [ "$status" = 1 ]
    [[ $output == "resolve: 127.0.0.1 port no-such-service: "?* ]]
}

@test "a port above 65535 and an empty one are refused, and not taken for another" {
    for port in 70000 65536 -1 ""; do
        for name in resolve web_server; do
            prog $L/$name
            [ $name = resolve ] || PROG+=("$SITE")
            run timeout 10 "${PROG[@]}" 127.0.0.1 "$port" 3>&-
            [ "$status" = 2 ]
            [[ ${output%$'\r'} = "$name: port \"$port\": not a name, nor a number of 16 bits" ]]
        done
    done
    for port in 70000 -1 "" 80x; do
        run lesson $L/web_server_small "$SITE" "$port"
        [ "$status" = 2 ]
    done
    run lesson $L/resolve 127.0.0.1 65535
    [[ $output == *"IPv4  127.0.0.1:65535 "* ]]
    ! grep -qE '^http[[:space:]]+80/tcp' /etc/services || {
        run lesson $L/resolve 127.0.0.1 http
        [[ $output == *"IPv4  127.0.0.1:80 "* ]]
    }
}

# ---- the web server

@test "a page comes with its status, type and length" {
    serve
    run ask 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    [ "${lines[0]}" = "HTTP/1.1 200 OK" ]
    [[ $output == *$'\nContent-Type: text/html; charset=utf-8\n'* ]]
    [[ $output == *$'\nContent-Length: 22\n'* ]]
    [[ $output == *$'\n\n<p>the first page</p>' ]]
    wait_line server 'GET / 200'
}

@test "HEAD gets the headers of GET and no body" {
    serve
    run ask 'HEAD / HTTP/1.0\n\n'
    [ "${lines[0]}" = "HTTP/1.1 200 OK" ]
    [[ $output == *"Content-Length: 22"* ]]
    [[ $output != *"first page"* ]]
}

@test "curl fetches a large file, an empty file, and odd names, byte for byte" {
    need curl
    serve
    awk 'BEGIN { for (i = 0; i < 600000; i++) print "this is line", i }' >"$SITE/large.txt"
    : >"$SITE/empty"
    echo spaced >"$SITE/a b.txt"
    echo unicode >"$SITE/网.txt"
    curl -sf -m 20 "$URL/large.txt" 3>&- | cmp - "$SITE/large.txt"
    [ "$(curl -sf -m 20 -w '%{http_code} %{size_download}' "$URL/empty")" = "200 0" ]
    [ "$(curl -sf -m 20 "$URL/a%20b.txt?query=1")" = spaced ]
    [ "$(curl -sf -m 20 "$URL/%E7%BD%91.txt")" = unicode ]
}

@test "a file's type follows its ending" {
    serve
    for pair in a.css=text/css b.JS=text/javascript c.svg=image/svg+xml d.png=image/png \
        e.txt=text/plain f=application/octet-stream g.html.zip=application/octet-stream; do
        echo x >"$SITE/${pair%%=*}"
        run ask "GET /${pair%%=*} HTTP/1.0\n\n"
        [[ $output == *"Content-Type: ${pair#*=}"* ]]
    done
}

@test "a folder leads to its name with a slash, and the slash to its index.html" {
    serve
    run ask 'GET /sub HTTP/1.0\n\n'
    [ "${lines[0]}" = "HTTP/1.1 301 Moved Permanently" ]
    [[ $output == *$'\nLocation: /sub/\n'* ]]
    run ask 'GET /sub/ HTTP/1.0\n\n'
    [[ $output == *"the page below" || $output == *"the page below</p>" ]]
    run ask 'GET //sub HTTP/1.0\n\n'
    [[ $output == *$'\nLocation: /sub/\n'* ]]
    mkdir "$SITE/bare"
    [ "$(status_of 'GET /bare/ HTTP/1.0\n\n')" = "HTTP/1.1 404 Not Found" ]
}

@test "a path with .. is refused wherever it would lead" {
    serve
    [ "$(status_of 'GET /sub/../index.html HTTP/1.0\n\n')" = "HTTP/1.1 403 Forbidden" ]
    [ "$(status_of 'GET /sub/%%2e%%2e HTTP/1.0\n\n')" = "HTTP/1.1 403 Forbidden" ]
    echo 'two dots' >"$SITE/a..b"
    [ "$(status_of 'GET /a..b HTTP/1.0\n\n')" = "HTTP/1.1 200 OK" ]
}

@test "no way of writing .. leads out of the folder" {
    serve
    for path in /../secret.txt /sub/../../secret.txt /%%2e%%2e/secret.txt /%%2E./secret.txt \
        /..%%2fsecret.txt /sub/%%2e%%2e%%2f..%%2fsecret.txt /..%%5csecret.txt '/..\\\\secret.txt' \
        //../secret.txt http://x/../secret.txt /./../secret.txt "$BATS_TEST_TMPDIR/secret.txt"; do
        run ask "GET $path HTTP/1.0\n\n"
        [[ ${lines[0]} =~ ^HTTP/1.1\ (400|403|404)\  ]]
        [[ $output != *private* ]]
    done
}

@test "a link that leads out of the folder is refused, and one that stays inside works" {
    not_on_windows "Wine shows the links of POSIX as plain files"
    serve
    ln -s ../secret.txt "$SITE/file"
    ln -s .. "$SITE/up"
    ln -s /etc "$SITE/etc"
    ln -s sub/index.html "$SITE/inside.html"
    ln -s loop "$SITE/loop"
    for path in /file /up/secret.txt /etc/passwd /up/ /etc; do
        [ "$(status_of "GET $path HTTP/1.0\n\n" | cut -c 1-12)" != "HTTP/1.1 200" ]
        run ask "GET $path HTTP/1.0\n\n"
        [[ $output != *private* && $output != *root:* ]]
    done
    [ "$(status_of 'GET /loop HTTP/1.0\n\n')" = "HTTP/1.1 404 Not Found" ]
    run ask 'GET /inside.html HTTP/1.0\n\n'
    [[ $output == *"page below"* ]]
}

@test "a neighbour folder whose name begins like ours is outside" {
    not_on_windows "needs a link"
    serve
    mkdir "$SITE-2"
    echo 'kept private' >"$SITE-2/x"
    ln -s ../site-2/x "$SITE/x"
    [ "$(status_of 'GET /x HTTP/1.0\n\n')" = "HTTP/1.1 403 Forbidden" ]
}

@test "a pipe and an unreadable file in the folder are refused, and nothing hangs" {
    not_on_windows "no named pipes in a folder there"
    serve
    mkfifo "$SITE/pipe"
    [ "$(status_of 'GET /pipe HTTP/1.0\n\n')" = "HTTP/1.1 403 Forbidden" ]
    if [ "$(id -u)" != 0 ]; then
        touch "$SITE/locked" && chmod 0 "$SITE/locked"
        [ "$(status_of 'GET /locked HTTP/1.0\n\n')" = "HTTP/1.1 403 Forbidden" ]
    fi
    [ "$(status_of 'GET / HTTP/1.0\n\n')" = "HTTP/1.1 200 OK" ]
}

@test "wrong requests get the status that fits" {
    serve
    [ "$(status_of 'GET /nothing HTTP/1.0\n\n')" = "HTTP/1.1 404 Not Found" ]
    [ "$(status_of 'hello\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET /\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of '\r\n\r\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET / HTTP/1.1\r\n\r\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET / HTTP/1.0\nno colon\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET /%%zz HTTP/1.0\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET /index.html%%00.txt HTTP/1.0\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET /index.html\0 HTTP/1.0\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET /\033[2J HTTP/1.0\n\n')" = "HTTP/1.1 400 Bad Request" ]
    [ "$(status_of 'GET / HTTP/2.0\n\n')" = "HTTP/1.1 505 HTTP Version Not Supported" ]
    run ask 'DELETE / HTTP/1.0\n\n'
    [ "${lines[0]}" = "HTTP/1.1 405 Method Not Allowed" ]
    [[ $output == *"Allow: GET, HEAD"* ]]
    # What a client sends cannot write on the terminal.
    run grep -c $'\033' "$BATS_TEST_TMPDIR/server"
    [ "$output" = 0 ]
}

@test "an over-long request line gets 414, over-long headers get 431" {
    serve
    long=$(printf '%09000d' 0)
    [ "$(status_of "GET /$long HTTP/1.0\n\n")" = "HTTP/1.1 414 URI Too Long" ]
    [ "$(status_of "GET / HTTP/1.0\nX: $long\n\n")" = \
        "HTTP/1.1 431 Request Header Fields Too Large" ]
}

@test "a client that uploads a megabyte still reads the answer that refuses it" {
    need curl
    serve
    head -c 1000000 /dev/zero >"$BATS_TEST_TMPDIR/upload"
    run curl -s -m 20 -o /dev/null -w '%{http_code}' --data-binary "@$BATS_TEST_TMPDIR/upload" "$URL/"
    [ "$status" = 0 ]
    [ "$output" = 405 ]
    # The server goes on reading, or its kernel would send RST in place of FIN, and we could not write.
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    { printf 'POST / HTTP/1.0\n\n' && cat "$BATS_TEST_TMPDIR/upload"; } >&4
    run timeout 20 head -n 1 <&4 3>&-
    [[ $output == "HTTP/1.1 405"* ]]
    exec 4>&-
}

@test "a request in single bytes is answered, and one that never ends gets 408" {
    serve 2
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    for piece in G E T ' ' / ' ' H T T P / 1 . 0 '\n' '\n'; do
        # shellcheck disable=SC2059
        printf "$piece" >&4
    done
    run timeout 20 head -n 1 <&4 3>&-
    [[ $output == "HTTP/1.1 200 OK"* ]]
    exec 4>&-
    [ "$(status_of 'GET / HT')" = "HTTP/1.1 408 Request Timeout" ]
}

@test "clients that hold connections open without a word do not block others" {
    need curl
    serve
    held=()
    for _ in $(seq 120); do # more than there are places
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
        held+=("$fd")
    done
    printf 'GET / HT' >&"${held[0]}"
    printf 'GET / HT' >&"${held[119]}"
    run curl -s -m 20 "$URL/" 3>&-
    [ "$output" = "<p>the first page</p>" ]
    for fd in "${held[@]}"; do exec {fd}>&-; done
}

@test "a client that does not read its answer is given up, and others notice nothing" {
    need curl
    serve 1
    head -c 30000000 /dev/zero >"$SITE/big"
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'GET /big HTTP/1.0\n\n' >&4
    wait_line server 'GET /big 200'
    run curl -s -m 20 "$URL/"
    [ "$output" = "<p>the first page</p>" ]
    wait_line server 'given up'
    exec 4>&-
}

@test "a client that reads slowly but steadily gets its whole file" {
    serve 2
    head -c 30000000 /dev/zero >"$SITE/big"
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'GET /big HTTP/1.0\n\n' >&4
    # For longer than the two seconds which a client may do nothing.
    slowly() {
        for _ in 1 2 3 4 5 6; do
            head -c 4000000 && sleep 0.45
        done
        timeout 20 cat
    }
    # shellcheck disable=SC2094
    [ "$(slowly <&4 3>&- | wc -c)" -gt 30000000 ]
    exec 4>&-
}

@test "clients that go away in the middle leave the server and its descriptors as they were" {
    serve
    head -c 3000000 /dev/zero >"$SITE/big"
    if [ -d "/proc/$SERVER_PID/fd" ] && [ "${SUITE:-native}" != windows ]; then
        before=$(ls "/proc/$SERVER_PID/fd")
    fi
    for request in 'GET /big HTTP/1.0\n\n' 'GET /b' '' 'GET / HTTP/1.0\n\nGET / HTTP/1.0\n\n'; do
        for _ in 1 2 3 4 5; do
            exec 4<>"/dev/tcp/127.0.0.1/$PORT"
            # shellcheck disable=SC2059
            printf "$request" >&4
            exec 4>&-
        done
    done
    [ "$(status_of 'GET / HTTP/1.0\n\n')" = "HTTP/1.1 200 OK" ]
    [ -z "${before-}" ] || for _ in $(seq 250); do
        [ "$(ls "/proc/$SERVER_PID/fd")" != "$before" ] || return 0
        sleep 0.02
    done
    [ -z "${before-}" ]
}

@test "out of descriptors the server says so, and serves again when there are some" {
    not_on_windows "no ulimit there"
    need curl
    prog $L/web_server
    start_server server sh -c 'ulimit -n 12; exec "$@"' sh "${PROG[@]}" "$SITE" 127.0.0.1 0
    held=()
    for _ in $(seq 20); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
        held+=("$fd")
    done
    wait_line server 'accept: Too many open files \(EMFILE\)'
    for fd in "${held[@]}"; do exec {fd}>&-; done
    run curl -s -m 20 "http://127.0.0.1:$PORT/"
    [ "$output" = "<p>the first page</p>" ]
}

@test "valgrind finds no fault, no leak and no lost descriptor in the server" {
    [ "${SUITE:-native}" = native ] || skip "not on Windows, nor with the sanitizers, which do the same"
    need valgrind
    prog $L/web_server
    start server valgrind -q --track-fds=yes --leak-check=full "${PROG[@]}" "$SITE" 127.0.0.1 0
    line=$(wait_line server '^listening on')
    PORT=${line##*:}
    for request in '/' '/sub' '/%%zz' '/%%00' '/../x' '/nothing'; do
        status_of "GET $request HTTP/1.0\n\n"
    done
    status_of 'POST / HTTP/1.0\nContent-Length: 3\n\nabc'
    kill -TERM "$STARTED_PID"
    wait_exit "$STARTED_PID"
    wait_line server stopped
    # A fault, a leak or a descriptor of our own comes with the calls that led to it.
    run grep ' at 0x' "$BATS_TEST_TMPDIR/server"
    [ -z "$output" ]
}

@test "the server starts again at once on the port that it has just used" {
    serve
    status_of 'GET / HTTP/1.0\n\n'
    kill -9 "$SERVER_PID"
    wait "$SERVER_PID" || true
    prog $L/web_server
    start_server again "${PROG[@]}" "$SITE" 127.0.0.1 "$PORT"
    [ "$(status_of 'GET / HTTP/1.0\n\n')" = "HTTP/1.1 200 OK" ]
}

@test "a real browser opens the page with its style sheet, script, picture and frame" {
    cat >"$SITE/index.html" <<'END'
<!doctype html><link rel="stylesheet" href="style.css"><script src="script.js"></script>
<h1>heading</h1><img src="picture.svg"><iframe src="sub"></iframe>
<script>window.onload = () => { document.body.append("STYLE " +
getComputedStyle(document.querySelector("h1")).color + " SCRIPT " + fromScript + " PICTURE " +
document.images[0].naturalWidth + " FRAME " + frames[0].document.body.innerText + " AT " +
frames[0].location.pathname + " END"); };</script>
END
    echo 'h1 { color: rgb(1, 2, 3); }' >"$SITE/style.css"
    echo 'const fromScript = 40 + 2;' >"$SITE/script.js"
    echo '<svg xmlns="http://www.w3.org/2000/svg" width="123" height="45"></svg>' >"$SITE/picture.svg"
    serve
    browse "$URL/"
    [ "$status" = 0 ]
    [[ $output == *"STYLE rgb(1, 2, 3) SCRIPT 42 PICTURE 123 FRAME the page below AT /sub/ END"* ]]
}

@test "the lesson's own page opens in a real browser" {
    SITE=$ROOT/$L/www
    serve
    browse "$URL/"
    [[ $output == *"This page came through a socket"* ]]
    wait_line server 'GET /style.css 200'
    wait_line server 'GET /socket.svg 200'
}

# ---- the small web server

serve_small() {
    prog $L/web_server_small
    start_server small "${PROG[@]}" "$SITE" 0
    URL=http://127.0.0.1:$PORT
}

@test "the small server sends its three files, and nothing else" {
    need curl
    SITE=$ROOT/$L/www
    serve_small
    for pair in =index.html style.css=style.css socket.svg=socket.svg; do
        curl -sf -m 20 "$URL/${pair%%=*}" 3>&- | cmp - "$SITE/${pair#*=}"
    done
    run ask 'GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n'
    [ "${lines[0]}" = "HTTP/1.1 200 OK" ]
    [[ $output == *$'\nContent-Type: text/css; charset=utf-8\n'* ]]
    for path in /index.html /nothing /../web_client.c //etc/passwd; do
        [ "$(status_of "GET $path HTTP/1.0\n\n")" = "HTTP/1.1 404 Not Found" ]
    done
    [ "$(status_of 'hello\n\n')" = "HTTP/1.1 400 Bad Request" ]
    run ask 'POST / HTTP/1.0\n\n'
    [ "${lines[0]}" = "HTTP/1.1 405 Method Not Allowed" ]
    [[ $output == *"Allow: GET"* ]]
    rm -f "$BATS_TEST_TMPDIR/site/index.html"
    browse "$URL/"
    [[ $output == *"This page came through a socket"* ]]
    wait_line small ': 200 OK'
}

@test "the small server outlives every client, and each costs the others seconds at most" {
    need curl
    serve_small
    long=$(printf '%05000d' 0)
    for request in '' 'GET / HT' 'GET / HTTP/1.0\n\nGET / HTTP/1.0\n\n' "GET /$long HTTP/1.0\n\n" '\0\0\n\n'; do
        exec 4<>"/dev/tcp/127.0.0.1/$PORT"
        # shellcheck disable=SC2059
        printf "$request" >&4 || true # it may have been refused already, by RST
        exec 4>&-
    done
    head -c 300000 /dev/zero >"$SITE/style.css" # more than it has room for
    [ "$(status_of 'GET /style.css HTTP/1.0\n\n')" = "HTTP/1.1 500 Internal Server Error" ]
    exec 4<>"/dev/tcp/127.0.0.1/$PORT" # says nothing, and stays
    run curl -s -m 20 "$URL/" 3>&-
    [ "$output" = "<p>the first page</p>" ]
    exec 4>&-
    exec 4<>"/dev/tcp/127.0.0.1/$PORT" # and one that says a little, again and again
    drip() {
        while sleep 0.1 && printf x; do :; done
    }
    drip >&4 2>/dev/null 4>&- 3>&- &
    STARTED+=("$!")
    exec 4>&-
    run curl -s -m 20 "$URL/" 3>&-
    [ "$output" = "<p>the first page</p>" ]
}

# ---- the web client

@test "the client prints status, headers and body" {
    serve
    run lesson $L/web_client "$URL/sub/"
    [ "$status" = 0 ]
    [ "${lines[0]}" = "HTTP/1.1 200 OK" ]
    [[ $output == *$'\n\n<p>the page below</p>' ]]
}

@test "the client writes the body to a file, byte for byte" {
    serve
    head -c 3000000 /dev/urandom >"$SITE/big"
    (cd "$BATS_TEST_TMPDIR" && lesson $L/web_client "$URL/big" -o copy)
    cmp "$BATS_TEST_TMPDIR/copy" "$SITE/big"
}

@test "a page that is not there, or has moved, makes the client fail and say so" {
    serve
    run lesson $L/web_client "$URL/nothing"
    [ "$status" = 1 ]
    [[ $output == *"web_client: $URL/nothing: the server answers 404 Not Found"* ]]
    run lesson $L/web_client "$URL/sub"
    [ "$status" = 1 ]
    [[ $output == *"the server answers 301 Moved Permanently: look at /sub/"* ]]
}

@test "a refused connection and an unknown service are named" {
    run lesson $L/web_client http://127.0.0.1:1/
    [ "$status" = 1 ]
    [[ $output =~ "web_client: connect 127.0.0.1:1: Connection refused ("(WSA)?ECONNREFUSED")" ]]
}

@test "a host that does not answer is given up, and the client says how long it has waited" {
    need_wire
    impatient $L/web_client
    run timeout 30 "$BIN/wire" --events --drop 'client > SYN' \
        -- "$BIN/$L/web_server" "$SITE" 10.0.0.2 8000 -- "${PROG[@]}" http://10.0.0.2:8000/ 3>&-
    [[ $output == *'prints "web_client: connect 10.0.0.2:8000: no answer within 1 s (EINPROGRESS)"'* ]]
}

@test "a silent server is given up, and the client says that nothing came, and for how long" {
    impatient $L/web_client
    serve_bytes "$BATS_TEST_TMPDIR/pipe" # cat waits for somebody to write into it
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    run timeout 20 "${PROG[@]}" "$URL/" 3>&-
    [ "$status" = 1 ]
    [[ ${output%$'\r'} =~ ^'web_client: recv: nothing came for 1 s ('(EAGAIN|WSAETIMEDOUT)')'$ ]]
}

@test "a bad URL is refused with a reason, before anything is sent" {
    for url in https://127.0.0.1/ ftp://127.0.0.1/ 127.0.0.1 http:// http:///x http://a:b/ \
        http://a:0/ http://a:65536/ http://a:999999/ http://user@a/ 'http://a/b c' 'http://[::1' \
        'http://[::1]x/' $'http://a/\nX: y' "http://a/$(printf '%03000d' 0)"; do
        run lesson $L/web_client "$url"
        echo "$url: $output"
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
    done
    run lesson $L/web_client https://127.0.0.1/
    [[ $output == *TLS* ]]
}

@test "a body in chunks is put together again" {
    printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nput \r\nA;x=y\r\ntogether a\r\n5\r\ngain.\r\n0\r\nTrailer: x\r\n\r\n' \
        >"$BATS_TEST_TMPDIR/reply"
    serve_bytes "$BATS_TEST_TMPDIR/reply"
    run lesson $L/web_client "$URL/"
    [ "$status" = 0 ]
    [ "${lines[2]}" = "put together again." ]
}

@test "a body without a length ends with the server's FIN, and 100 Continue is passed over" {
    printf 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\n\nto the end' >"$BATS_TEST_TMPDIR/reply"
    serve_bytes "$BATS_TEST_TMPDIR/reply"
    run lesson $L/web_client "$URL"
    [ "$status" = 0 ]
    [[ $output == *$'200 OK\n\nto the end' ]]
}

@test "an answer that is cut short or is no HTTP makes the client fail" {
    while IFS= read -r reply; do
        # shellcheck disable=SC2059
        printf "$reply" >"$BATS_TEST_TMPDIR/reply"
        serve_bytes "$BATS_TEST_TMPDIR/reply"
        run lesson $L/web_client "$URL/"
        [ "$status" = 1 ]
        [[ $output == *"web_client: "* ]]
    done <<'END'
HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort
HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx
HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nx
HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nshort
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nlong\r\n0\r\n\r\n
HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx
HTTP/1.1 200 OK\r\nHalf-a-head
SSH-2.0-something\r\n

END
    [[ $output == *"web_client: the server closed in the middle of its headers"* ]]
}

@test "an endless head is not read for ever" {
    awk 'BEGIN { for (i = 0; i < 300; i++) printf "HTTP/1.1 100 Continue\r\n\r\n" }' \
        >"$BATS_TEST_TMPDIR/reply"
    serve_bytes "$BATS_TEST_TMPDIR/reply"
    run lesson $L/web_client "$URL/"
    [ "$status" = 1 ]
    [[ $output == *"web_client: more than 200 header lines"* ]]
}

@test "a body that cannot be written makes the client fail" {
    not_on_windows "no /dev/full there"
    serve
    run lesson $L/web_client "$URL/" -o /dev/full
    [ "$status" = 1 ]
    [[ $output == *"web_client: write: No space left on device"* ]]
    prog $L/web_client
    "${PROG[@]}" "$URL/" >/dev/full 3>&- && return 1
    run lesson $L/web_client "$URL/" -o "$SITE"
    [[ $output == *"web_client: $SITE: Is a directory"* ]]
}

@test "codes in a server's headers do not reach the terminal" {
    printf 'HTTP/1.0 200 OK\r\nX: \033[2J\r\n\r\n' >"$BATS_TEST_TMPDIR/reply"
    serve_bytes "$BATS_TEST_TMPDIR/reply"
    run lesson $L/web_client "$URL/"
    [ "$status" = 0 ]
    [[ $output != *$'\033'* ]]
}

# ---- all programs

@test "a result that cannot be written makes the program fail and say so" {
    not_on_windows "no /dev/full there"
    for command in fd_is_a_file socket_types who_am_i "resolve 127.0.0.1"; do
        read -ra words <<<"$command"
        prog "$L/${words[0]}"
        run --separate-stderr sh -c '"$@" >/dev/full' sh "${PROG[@]}" "${words[@]:1}" 3>&-
        [ "$status" = 1 ]
        # shellcheck disable=SC2154 # set by run
        [ "$stderr" = "${words[0]}: not all could be written to standard output" ]
    done
}

@test "the server serves on when its log cannot be written, and says so at its end" {
    not_on_windows "no /dev/full there"
    prog $L/web_server
    serve # a port that is free
    kill "$SERVER_PID"
    wait_exit "$SERVER_PID"
    start server sh -c 'exec "$@" >/dev/full' sh "${PROG[@]}" "$SITE" 127.0.0.1 "$PORT"
    for _ in $(seq 250); do
        (: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break
        sleep 0.02
    done
    for _ in 1 2 3; do
        [ "$(status_of 'GET / HTTP/1.0\n\n')" = "HTTP/1.1 200 OK" ]
    done
    kill "$STARTED_PID"
    status=0
    wait_exit "$STARTED_PID" || status=$?
    [ "$status" = 1 ]
    [ "$(cat "$BATS_TEST_TMPDIR/server")" = "web_server: not all of the log could be written" ]
}

@test "each program explains itself, and refuses wrong arguments in one line" {
    for name in fd_is_a_file socket_types who_am_i resolve web_server_small web_server web_client; do
        run lesson $L/$name --help
        [ "$status" = 0 ]
        [[ $output == "usage: $name"* ]]
        run lesson $L/$name 1 2 3 4 5 6
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
    done
    run lesson $L/web_server "$SITE/no-such-folder"
    [ "$status" = 1 ]
    for seconds in never 5x 0 ""; do
        run lesson $L/web_server "$SITE" 127.0.0.1 0 "$seconds"
        [ "$status" = 2 ]
        [[ ${output%$'\r'} == "web_server: $seconds: SECONDS is a number from 1 to 3600" ]]
    done
}
