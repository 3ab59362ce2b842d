/* talker.c - send datagrams and go: nobody says what becomes of them.
 *
 * Usage:     talker HOST PORT MESSAGE...
 * Compile:   cc -o talker talker.c          (Windows: gcc -o talker talker.c -lws2_32)
 * Try it:    ./listener --count 3           in one terminal
 *            ./talker 127.0.0.1 7000 1 2 3  in another: sent 3 datagrams to 127.0.0.1:7000
 *            ./talker 127.0.0.1 9 1 2 3     where no one listens: sent 3 datagrams, too
 * Look for:  sendto() is content as soon as the datagram is handed on. Lost, doubled,
 *            overtaken or damaged on its way: this program does the same, and cannot know.
 *            On the wire: lost.scene, reordered.scene, duplicated.scene, corrupted.scene
 * See also:  listener.c, the other end; client.c, which waits for answers.
 */
#include "../common/net.h"

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: talker HOST PORT MESSAGE...\n"
               "Sends each MESSAGE as one UDP datagram, one after the other, and ends.\n");
        return 0;
    }
    if (argc < 4) {
        fprintf(stderr, "talker: expected HOST PORT MESSAGE...; see talker --help\n");
        return 2;
    }
    if (!net_is_port("talker", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "talker: start");
        return 1;
    }

    /* A name may have several addresses. The first must do: only an answer could tell us to
     * try another one, and this program waits for none. */
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *peer;
    int failed = getaddrinfo(argv[1], argv[2], &hints, &peer);
    if (failed != 0) {
        fprintf(stderr, "talker: %s port %s: %s\n", argv[1], argv[2], gai_strerror(failed));
        return 1;
    }
    char name[NET_ADDRESS_MAX];
    net_address(peer->ai_addr, (socklen_t)peer->ai_addrlen, name);

    /* No bind() and no connect(): the first sendto() gives the socket a free port. */
    socket_t s = socket(peer->ai_family, peer->ai_socktype, peer->ai_protocol);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "talker: socket");
        freeaddrinfo(peer);
        return 1;
    }

    int sent = 0;
    for (int i = 3; i < argc; i++) {
        /* The whole message in one datagram, or an error (EMSGSIZE: too big): never a part
         * of it, so there is no send_all() for UDP. Empty messages go as well. */
        ssize_t count;
        do
            count = sendto(s, argv[i], (io_len)strlen(argv[i]), 0, peer->ai_addr,
                           (socklen_t)peer->ai_addrlen);
        while (count < 0 && net_error() == NET_E(INTR));
        if (count < 0)
            net_perror(net_error(), "talker: sendto %s", name);
        else
            sent++;
    }
    printf("sent %d datagrams to %s\n", sent, name);
    freeaddrinfo(peer);
    net_close(
        s); /* what was sent is still on its way; nothing tells the peer that we end */
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "talker: not all could be written to standard output\n");
        return 1;
    }
    return sent == argc - 3 ? 0 : 1;
}
