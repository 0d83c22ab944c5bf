/* lwIP as a peer: see ../programs.rs for what a peer does. Debian's library is built with threads and the socket API;
 * this gives it an interface whose frames pass over the stream at descriptor 0, each after its length. */

#include <lwip/ethip6.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/sockets.h>
#include <lwip/tcpip.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not the system's. */
#undef read
#undef write

enum { PORT = 7000, LENGTH_BYTES = 4, LONGEST = 2048 };

static struct netif interface;
static unsigned mtu;

static void put(const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(0, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) exit(0); /* the other side has gone */
        bytes += written;
        count -= (size_t)written;
    }
}

static void take(uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t got = read(0, bytes, count);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) exit(0);
        bytes += got;
        count -= (size_t)got;
    }
}

/* Called with the core locked: one frame at a time. */
static err_t send_frame(struct netif *netif, struct pbuf *packet) {
    uint8_t frame[LENGTH_BYTES + LONGEST];
    uint16_t length = packet->tot_len;
    (void)netif;
    if (length > LONGEST) return ERR_BUF;
    frame[0] = frame[1] = 0;
    frame[2] = (uint8_t)(length >> 8);
    frame[3] = (uint8_t)length;
    pbuf_copy_partial(packet, frame + LENGTH_BYTES, length, 0);
    put(frame, LENGTH_BYTES + (size_t)length);
    return ERR_OK;
}

static err_t start(struct netif *netif) {
    static const uint8_t address[6] = {2, 0, 0, 0, 0x78, 2};
    netif->name[0] = 'p';
    netif->name[1] = 'r';
    netif->mtu = (uint16_t)mtu;
    netif->hwaddr_len = sizeof address;
    memcpy(netif->hwaddr, address, sizeof address);
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = send_frame;
    netif->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP | NETIF_FLAG_MLD6;
    return ERR_OK;
}

static void *receive_frames(void *unused) {
    (void)unused;
    for (;;) {
        uint8_t length[LENGTH_BYTES], frame[LONGEST];
        take(length, sizeof length);
        size_t count = (size_t)length[2] << 8 | length[3];
        if (length[0] != 0 || length[1] != 0 || count > sizeof frame) exit(1);
        take(frame, count);
        /* Not of the pool, whose buffers Debian's 2.1.3 makes shorter than it believes them to be. */
        struct pbuf *packet = pbuf_alloc(PBUF_RAW, (uint16_t)count, PBUF_RAM);
        if (packet == NULL) continue;
        pbuf_take(packet, frame, (uint16_t)count);
        if (interface.input(packet, &interface) != ERR_OK) pbuf_free(packet);
    }
    return NULL;
}

static void set_up(void *unused) {
    ip4_addr_t address, mask, gateway;
    ip6_addr_t address6;
    (void)unused;
    IP4_ADDR(&address, 10, 78, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_zero(&gateway);
    netif_add(&interface, &address, &mask, &gateway, NULL, start, tcpip_input);
    netif_create_ip6_linklocal_address(&interface, 1);
    netif_ip6_addr_set_state(&interface, 0, IP6_ADDR_PREFERRED);
    IP6_ADDR(&address6, PP_HTONL(0xfd780000), 0, 0, PP_HTONL(2));
    netif_ip6_addr_set(&interface, 1, &address6);
    netif_ip6_addr_set_state(&interface, 1, IP6_ADDR_PREFERRED);
    netif_set_default(&interface);
    netif_set_up(&interface);
}

static socklen_t parse(const char *text, struct sockaddr_storage *address) {
    memset(address, 0, sizeof *address);
    if (strchr(text, ':') != NULL) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(PORT);
        (inet_pton)(AF_INET6, text, &v6->sin6_addr);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(PORT);
    (inet_pton)(AF_INET, text, &v4->sin_addr);
    return sizeof *v4;
}

static void fail(const char *what) {
    printf("error %s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

static void send_all(int stream, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = lwip_send(stream, bytes, count, 0);
        if (sent <= 0) fail("send");
        bytes += sent;
        count -= (size_t)sent;
    }
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    const char *role = arguments[1], *mode = arguments[2];
    struct sockaddr_storage address;
    pthread_t receiver;

    mtu = (unsigned)atoi(arguments[4]);
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    set_up(NULL);
    UNLOCK_TCPIP_CORE();
    pthread_create(&receiver, NULL, receive_frames, NULL);

    socklen_t length = parse(arguments[3], &address);
    int stream, socket_ = lwip_socket(address.ss_family, SOCK_STREAM, 0);
    if (socket_ < 0) fail("socket");
    if (strcmp(role, "serve") == 0) {
        if (lwip_bind(socket_, (struct sockaddr *)&address, length) < 0) fail("bind");
        if (lwip_listen(socket_, 4) < 0) fail("listen");
        puts("ready");
        fflush(stdout);
        stream = lwip_accept(socket_, NULL, NULL);
        if (stream < 0) fail("accept");
    } else {
        stream = socket_;
        if (lwip_connect(stream, (struct sockaddr *)&address, length) < 0) {
            /* lwIP says of a connection that a RST has ended in SYN-SENT that it was reset. */
            if (errno != ECONNREFUSED && errno != ECONNRESET) fail("connect");
            puts("refused");
            fflush(stdout);
            pthread_join(receiver, NULL);
        }
    }

    static uint8_t buffer[65536];
    if (strncmp(mode, "send:", 5) == 0) {
        size_t left = strtoul(mode + 5, NULL, 10), position = 0;
        while (left > 0) {
            size_t part = left < sizeof buffer ? left : sizeof buffer;
            for (size_t index = 0; index < part; index++) buffer[index] = (uint8_t)(position++ % 251);
            send_all(stream, buffer, part);
            left -= part;
        }
        if (lwip_shutdown(stream, SHUT_WR) < 0) fail("shutdown");
    }
    uint64_t hash = 0xcbf29ce484222325, total = 0;
    for (;;) {
        ssize_t got = lwip_recv(stream, buffer, sizeof buffer, 0);
        if (got < 0) fail("recv");
        if (got == 0) break;
        for (ssize_t index = 0; index < got; index++) hash = (hash ^ buffer[index]) * 0x100000001b3;
        total += (uint64_t)got;
        if (strcmp(mode, "echo") == 0) send_all(stream, buffer, (size_t)got);
    }
    lwip_close(stream);
    printf("done %llu %016llx\n", (unsigned long long)total, (unsigned long long)hash);
    fflush(stdout);
    pthread_join(receiver, NULL);
    return 0;
}
