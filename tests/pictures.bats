#!/usr/bin/env bats
# Pictures: the ladder as SVG, headers in boxes, and the figures that the READMEs show.

load helper

SCENE=04-handshake-trace/three-way-handshake

setup() {
    cd "$ROOT" || return 1
    OUT=$BATS_TEST_TMPDIR
}

# Plays a scene (a file, or lines on standard input) into $OUT/f.svg, with its events in $OUT/events.
play() {
    need_wire
    "$BIN/wire" --events --svg "$OUT/f.svg" --record "$OUT/f.pcapng" "$@" >"$OUT/events" 3>&-
}

# A scene of the two programs of lesson 02, and the lines given.
scene() {
    {
        printf '%s\n' 'title T' "server $BIN/02-tcp-echo/server 10.0.0.2 7777" \
            "client $BIN/02-tcp-echo/client 10.0.0.2 7777 hello"
        printf '%s\n' "$@"
    } >"$OUT/s.scene"
    play "$OUT/s.scene"
}

# svg FUNCTION: runs a few lines of Python with `arrows`, `texts` and `root` of $OUT/f.svg.
svg() {
    need python3
    python3 - "${FILE:-$OUT/f.svg}" "$OUT/events" 3>&- <<PYTHON
import re, sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
ns = '{http://www.w3.org/2000/svg}'
texts = [t.text or '' for t in root.iter(ns + 'text')]
class Arrow:
    def __init__(a, e):
        a.sender, a.kinds = e.get('data-from'), e.get('class').split()
        a.ms = float(e.get('data-ms')) if e.get('data-ms') else None
        a.frame = int(e.get('data-frame'))
        a.x1, a.y1, a.x2, a.y2 = (float(e.get(k)) for k in ('x1', 'y1', 'x2', 'y2'))
arrows = [Arrow(e) for e in root.iter(ns + 'line') if 'arrow' in (e.get('class') or '').split()]
def events(pattern):
    found = []
    for line in open(sys.argv[2]):
        time, _, text = line.strip().partition('  ')
        if re.match(pattern, text): found.append((float(time), text))
    return found
$1
PYTHON
}

@test "a picture is well-formed XML, without a script and without anything from outside" {
    play $SCENE.scene
    svg 'assert root.tag == ns + "svg" and root.get("viewBox").startswith("0 0 800 ")
for e in root.iter():
    assert e.tag[len(ns):] in "svg title style rect path line text circle".split(), e.tag
    assert not [a for a in e.attrib if a.startswith("on") or "href" in a], e.attrib'
    run grep -ciE 'url\(|@import|https?:' "$OUT/f.svg"
    [ "$output" = 1 ] # the name space
    grep -q 'prefers-color-scheme:dark' "$OUT/f.svg"
    ! command -v xmllint >/dev/null || xmllint --noout "$OUT/f.svg"
}

@test "every state, call and segment of the ladder stands in the picture as text" {
    play $SCENE.scene
    svg 'for what in ("SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 CLOSE_WAIT LAST_ACK TIME_WAIT CLOSED LISTEN".split()
             + ["SYN seq=1000", "SYN,ACK seq=2000 ack=1001", "connect(3) = 0", "accept(3) = 4", "accept(3) ..."]):
    assert what in texts, what'
}

@test "every state has its piece of its host's bar, from top to bottom in order" {
    play $SCENE.scene
    svg 'bars = [(float(r.get("x")), float(r.get("y")), float(r.get("height")), r.get("class"))
        for r in root.iter(ns + "rect") if (r.get("class") or "").isupper()]
client = [b[3] for b in sorted(bars, key=lambda b: b[1]) if b[0] < 300]
server = [b[3] for b in sorted(bars, key=lambda b: b[1]) if b[0] > 300 and b[3] != "LISTEN"]
assert client == "SYN_SENT ESTABLISHED FIN_WAIT_1 TIME_WAIT".split(), client
assert server == "SYN_RCVD ESTABLISHED CLOSE_WAIT LAST_ACK".split(), server
assert all(b[2] > 0 for b in bars)'
}

@test "there is an arrow for each segment that arrives, and it goes down from its sender's bar" {
    play $SCENE.scene
    svg 'sent = events("(client|server) > (?!ARP)")
assert len(arrows) == len(sent) == 10, (len(arrows), len(sent))
for a in arrows:
    assert a.y2 > a.y1 and (a.x2 > a.x1) == (a.sender == "client")'
}

@test "the slants agree with the times: 50 ms is as steep as 50 ms, 100 ms is twice as steep" {
    scene 'latency 50ms' 'on client > DATA #1: delay 50ms' 'expect client : exit = 0'
    svg 'took = {}
for time, text in events("client > SYN|server < SYN"): took[text[:8]] = time
assert abs(arrows[0].ms - (took["server <"] - took["client >"])) < 25
usual = [a for a in arrows if a.ms and a.ms < 75]
slow = [a for a in arrows if a.ms and a.ms >= 95]
assert len(usual) >= 8 and len(slow) == 1, [a.ms for a in arrows]
least = min((a.y2 - a.y1) / a.ms for a in usual)
assert max((a.y2 - a.y1) / a.ms for a in usual if a.kinds == ["arrow"]) < 4 * least
assert slow[0].y2 - slow[0].y1 > 1.7 * 50 * least, (slow[0].y2 - slow[0].y1, least)'
}

@test "two arrows cross when the frames did, and else do not" {
    scene 'latency 10ms' 'on server > DATA #1: delay 30ms' 'on client > FIN #1: delay 5ms' 'expect client : exit = 0'
    svg 'def cross(a, b):
    if a.sender == b.sender: return (a.y1 - b.y1) * (a.y2 - b.y2) < 0
    return a.y1 < b.y2 and b.y1 < a.y2
numbers = {}
sent = [t for t in events("(client|server) > ")]
ends = events("(client|server) < ")
def end(text): return [i for i, (_, t) in enumerate(ends) if t == text.replace("client >", "server <").replace("server >", "client <")][0]
order = [end(text) for _, text in sent]
for a in arrows:
    for b in arrows:
        if a.frame < b.frame and a.sender == b.sender:
            assert cross(a, b) == (order[a.frame - 1] > order[b.frame - 1]), (a.frame, b.frame)'
}

@test "a lost segment ends in an X before the other bar, and what is sent again is marked" {
    scene 'latency 10ms' 'on client > SYN #1: drop' 'expect server x SYN' 'expect server = ESTABLISHED' 'expect client : exit = 0'
    svg 'lost = [a for a in arrows if "lost" in a.kinds]
assert len(lost) == 1 and lost[0].ms is None
assert lost[0].x2 < arrows[-1].x2 or lost[0].x2 < 420
assert [p for p in root.iter(ns + "path") if p.get("class") == "lost"]
assert len([a for a in arrows if "again" in a.kinds]) == 1
assert any(t.startswith("RTO after") for t in texts), texts
assert any(t.endswith(" lost") for t in texts)'
}

@test "a damaged segment says so, once" {
    scene 'latency 10ms' 'on client > DATA #1: corrupt' 'expect client : exit = 0'
    svg 'assert sum(t.count("damaged") for t in texts) == 1, texts'
}

@test "a time in which nothing happens is cut out, and the picture says so" {
    scene 'latency 10ms' 'on client > SYN #1: drop' 'expect server = ESTABLISHED' 'expect client : exit = 0'
    svg 'assert any(re.match(r"[0-9.]+ m?s pass", t) for t in texts), texts
assert float(root.get("height")) < 1200
assert any("cut out" in t for t in texts)'
}

@test "an explanation stands beside, under the number that its event has" {
    scene 'expect client > SYN' '    Because & <so>.' 'expect client : exit = 0'
    svg 'assert "Because & <so>." in texts
assert texts.count("1") == 2, texts'
}

@test "a recording's picture is the same, byte for byte, as that of its playing" {
    play $SCENE.scene
    lesson ladder --svg "$OUT/again.svg" "$OUT/f.pcapng" 3>&-
    cmp "$OUT/f.svg" "$OUT/again.svg"
}

@test "a picture that cannot be written is an error by name" {
    play $SCENE.scene
    run -1 lesson ladder --svg "$OUT/no/such.svg" "$OUT/f.pcapng" 3>&-
    [[ $output == *"$OUT/no/such.svg: No such file or directory"* ]]
    run -1 "$BIN/wire" --quiet --svg "$OUT/no/such.svg" $SCENE.scene 3>&-
    [[ $output == *"No such file or directory"* ]]
}

@test "peeled, a SYN shows each field of TCP's header in its place, and its checksum is right" {
    play $SCENE.scene
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/client > SYN/ { print $1; exit }')
    run -0 lesson ladder --peel "$number" "$OUT/f.pcapng" 3>&-
    [[ $output == *"Destination MAC"*"Source MAC"*"0x0800 IPv4"* ]]
    [[ $output == *"Version|  IHL  |"*"10.0.0.1"*"10.0.0.2"* ]]
    [[ $output == *"34-37 |          Source Port          |       Destination Port        |"* ]]
    [[ $output == *"C|E|U|A|P|R|S|F|"*"0|0|0|0|0|0|1|0|"* ]]
    [[ $output == *"MSS"*"1460"*"On the ladder: seq=1000."* ]]
    [ "$(grep -c 'Checksum: right' <<<"$output")" = 2 ]
    [[ $output == *"Headers: Ethernet 14 + IPv4 20 + TCP 24 = 58 bytes. Data: 0."* ]]
    [ "$(awk 'length > 80' <<<"$output")" = "" ]
}

@test "peeled, the sum of headers says TCP 20 and more against UDP 8" {
    play $SCENE.scene
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/client > DATA/ { print $1; exit }')
    run -0 lesson ladder --peel "$number" "$OUT/f.pcapng" 3>&-
    [[ $output == *'68 65 6c 6c 6f '*'hello'* ]]
    [[ $output == *"IPv4 20 + TCP 20 = 54 bytes. Data: 5."* ]]
    play 03-udp-echo/reordered.scene
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/client > UDP/ { print $1; exit }')
    run -0 lesson ladder --peel "$number" "$OUT/f.pcapng" 3>&-
    [[ $output == *"Length"*"Checksum: right"*"IPv4 20 + UDP 8 = 42 bytes. Data: 1."* ]]
}

@test "peeled, the options of a modern SYN are named: MSS, SACK, timestamps, window scale" {
    scene 'stack modern' 'expect client : exit = 0'
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/client > SYN/ { print $1; exit }')
    run -0 lesson ladder --peel "$number" "$OUT/f.pcapng" 3>&-
    [[ $output == *"Option 2, maximum segment size"* ]]
    [[ $output == *"Option 4, SACK permitted"* ]]
    [[ $output == *"Option 8, timestamps"* ]]
    [[ $output == *"Option 3, window scale"* ]]
    [[ $output == *"TSval"*"TSecr"* ]]
}

@test "peeled, ARP and ICMP have their own fields" {
    need_wire
    printf '%s\n' 'title T' "client $BIN/03-udp-echo/client 10.0.0.2 7777 x" >"$OUT/s.scene"
    "$BIN/wire" --quiet --record "$OUT/f.pcapng" "$OUT/s.scene" >"$OUT/said" 2>&1 3>&- || true
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/server > ICMP/ { print $1; exit }')
    run -0 lesson ladder --peel "$number" "$OUT/f.pcapng" 3>&-
    [[ $output == *"Destination unreachable: nobody has this port"* ]]
    [ "$(grep -c 'Checksum: right' <<<"$output")" = 2 ]
    run -0 lesson ladder --peel 1 "$OUT/f.pcapng" 3>&-
    [[ $output == *"request: who has?"*"Sender MAC"*"Target IP"* ]]
}

@test "a byte changed on the way is told by the checksum" {
    play $SCENE.scene
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/client > DATA/ { print $1; exit }')
    sed 's/hello/jello/g' "$OUT/f.pcapng" >"$OUT/g.pcapng"
    run -0 lesson ladder --peel "$number" "$OUT/g.pcapng" 3>&-
    [[ $output == *"jello"* ]]
    [[ $output == *"Checksum: WRONG"* ]]
}

@test "a number that no frame has is an error, and list tells the numbers" {
    play $SCENE.scene
    run -1 lesson ladder --peel 99999 "$OUT/f.pcapng" 3>&-
    [[ $output == *"no frame 99999"*"--peel list"* ]]
    run -2 lesson ladder --peel x "$OUT/f.pcapng" 3>&-
    [ "${#lines[@]}" = 1 ]
}

@test "a header's picture has the fields as text, and nothing in it that differs each time" {
    play $SCENE.scene
    number=$(lesson ladder --peel list "$OUT/f.pcapng" 3>&- | awk '/client > SYN/ { print $1; exit }')
    lesson ladder --peel "$number" --svg "$OUT/1.svg" "$OUT/f.pcapng" 3>&-
    play $SCENE.scene
    lesson ladder --peel "$number" --svg "$OUT/2.svg" "$OUT/f.pcapng" 3>&-
    cmp "$OUT/1.svg" "$OUT/2.svg"
    FILE=$OUT/1.svg svg 'for what in ["Source Port", "Sequence Number", "1000", "Window", "SYN", "any free one", "right"]:
    assert what in texts, what'
}

@test "each of the document's 13 lost pictures has its figure, and each figure its scene" {
    local file count=0 scene
    while read -r file; do
        case $file in
        01-socket-basics/figures/*-header.svg) grep -q "$file" common/figures ;;
        05-close-states/figures/tcp-state-diagram.svg) [ -e "$file" ] ;;
        *)
            scene=${file/\/figures\//\/}
            [ -e "${scene%.svg}.scene" ]
            ;;
        esac || {
            echo "README.md: $file has no scene"
            return 1
        }
    done < <(grep -E '^[|].*/figures/' README.md | grep -o '0[0-9]-[a-z-]*/figures/[a-z0-9-]*.svg')
    count=$(grep -cE '^[|] [^|]*[^ -~][^|]* [|].*/figures/' README.md)
    [ "$count" = 13 ]
}

@test "the figures are of scenes that exist, and are drawn from their recordings" {
    local figure scene
    for figure in 0*/figures/*.pcapng; do
        [ -e "$figure" ] || skip "there are no figures yet: make figures"
        scene=${figure/\/figures\//\/}
        [ -e "${scene%.pcapng}.scene" ] || {
            echo "$figure has no scene"
            return 1
        }
        lesson ladder --svg "$OUT/again.svg" "$figure" 3>&-
        cmp "$OUT/again.svg" "${figure%.pcapng}.svg"
        # Its explanations are in the recording: it must be made again when they change.
        explanations "${scene%.pcapng}.scene" >"$OUT/now"
        explanations "$figure" | diff "$OUT/now" - || {
            echo "$figure has other explanations than its scene: make figures"
            return 1
        }
    done
}

explanations() { # of a scene or a recording, however its lines are broken
    LC_ALL=C grep -aoE '^    [ -~]+' "$1" | tr -d ' \n'
}

# Looked at as a reader would: where texts come to stand is known only to who has the font.
@test "in no figure does a text lie on another, or stick out of its picture" {
    need python3
    python3 tests/tools/overlaps.py 0*/figures/*.svg 3>&- >"$OUT/page.html"
    browse "file://$OUT/page.html"
    [ "$(grep -c ' measured$' <<<"$output")" -ge 60 ]
    ! grep -E 'on each other|sticks out' <<<"$output"
}
