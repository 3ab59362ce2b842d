# shellcheck shell=bash
# Wine, which runs the Windows programs of SUITE=windows. Sourced by tests/run and by helper.bash.
#
#   wine_missing   says what is not installed, and how to get it; fails if nothing is missing
#   wine_up        starts Wine for this run; fails, with a reason, where that does not work
#   wine_broke     says so when Wine's own server has failed since: then no result counts
#   wine_down      ends all that runs in this Wine
#
# Its Windows system ("prefix") is the folder build/wine, never the user's own, for wine_down ends
# everything in it. Made once, in about 10 s; `make clean` removes it. No display is needed.

WINEPREFIX=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)/build/wine
export WINEPREFIX WINEDEBUG=-all
# No .NET, browser engine or debugger, and nothing written to the user's menus.
export WINEDLLOVERRIDES='mscoree=d;mshtml=d;winedbg.exe=d;winemenubuilder.exe=d'
unset DISPLAY

wine_missing() {
    local command
    for command in x86_64-w64-mingw32-gcc wine wineserver; do
        command -v "$command" >/dev/null && continue
        echo "$command is not installed: sudo apt-get install gcc-mingw-w64-x86-64-win32 wine wine64"
        return 0
    done
    return 1
}

# Windows services start with the first program and end with the last one: that makes a lone program
# take a second to start. While an idle one waits, here for a key, each start takes about 10 ms.
wine_up() {
    local log=$WINEPREFIX.log keys=$WINEPREFIX.keys
    mkdir -p "$WINEPREFIX"
    [ -e "$WINEPREFIX/system.reg" ] || echo "making a Windows system in build/wine (once, about 10 s)" >&2
    wine_down # what an interrupted run has left
    rm -f "$keys" && mkfifo "$keys" || return 1
    exec 9<>"$keys" # both ends, so that the reader never sees an end of file
    # -p: the server stays though no program runs for a moment. Without it, it was seen to end and
    # begin again between two programs, and those that started just then failed or hung.
    wineserver -p 2>"$WINEPREFIX.server" 3>&- 9>&-
    wine cmd /c pause <"$keys" >"$log" 2>&1 3>&- 9>&- &
    for _ in $(seq 1200); do
        grep -q . "$log" && return 0
        sleep 0.1
    done
    echo "wine does not start; it says:" >&2
    cat "$log" >&2
    return 1
}

# Wine 8.0 has a race in its sockets, seen once in some twenty runs: "server/sock.c: Assertion ... failed".
# All Windows programs end with their server.
wine_broke() {
    grep -s 'Assertion .* failed' "$WINEPREFIX.server"
}

# -k2 asks the server to end all; on a busy machine a plain -k loses patience, kills the server, and
# leaves the programs behind, waiting for ever.
wine_down() {
    wineserver -k2 2>/dev/null
    timeout 30 wineserver -w
    exec 9>&-
    rm -f "$WINEPREFIX.keys"
}
