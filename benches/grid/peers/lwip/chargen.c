/* lwIP behind a TAP interface: whoever connects to 10.77.0.2:19 gets data without end.
 *
 * One thread: it reads frames, lets lwIP's timers run, and waits until there is more of either. Built by ../build against
 * Debian's sources of lwIP, because Debian's library has send buffers of 64 KB compiled in. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

enum { CHARGEN = 19, FRAME = 1514, CHUNK = 32 << 10 };

static int tap;
static const char zeros[CHUNK];

u32_t sys_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static err_t transmit(struct netif *netif, struct pbuf *frame) {
    char buffer[FRAME];
    u16_t length = pbuf_copy_partial(frame, buffer, sizeof buffer, 0);
    (void)netif;
    /* A frame that the interface does not take is lost, as on any wire. */
    if (write(tap, buffer, length) < 0)
        return ERR_OK;
    return ERR_OK;
}

static err_t set_up(struct netif *netif) {
    static const unsigned char mac[6] = {2, 0, 0, 0, 78, 3};
    memcpy(netif->hwaddr, mac, sizeof mac);
    netif->hwaddr_len = sizeof mac;
    netif->name[0] = 't';
    netif->name[1] = 'p';
    netif->mtu = 1500;
    netif->output = etharp_output;
    netif->linkoutput = transmit;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

/* Fills the send buffer. The zeros are never changed, so they need not be copied. */
static void fill(struct tcp_pcb *connection) {
    for (;;) {
        u32_t room = tcp_sndbuf(connection);
        u16_t length = (u16_t)(room < CHUNK ? room : CHUNK);
        if (length < TCP_MSS || tcp_write(connection, zeros, length, 0) != ERR_OK)
            break;
    }
    tcp_output(connection);
}

static err_t sent(void *nothing, struct tcp_pcb *connection, u16_t length) {
    (void)nothing, (void)length;
    fill(connection);
    return ERR_OK;
}

static err_t received(void *nothing, struct tcp_pcb *connection, struct pbuf *data, err_t error) {
    (void)nothing, (void)error;
    if (data == NULL) {
        /* Whoever closes has heard enough. */
        tcp_abort(connection);
        return ERR_ABRT;
    }
    tcp_recved(connection, data->tot_len);
    pbuf_free(data);
    return ERR_OK;
}

static err_t accepted(void *nothing, struct tcp_pcb *connection, err_t error) {
    (void)nothing;
    if (error != ERR_OK || connection == NULL)
        return ERR_VAL;
    tcp_nagle_disable(connection);
    tcp_recv(connection, received);
    tcp_sent(connection, sent);
    fill(connection);
    return ERR_OK;
}

static int open_tap(const char *name) {
    struct ifreq request = {0};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (fd < 0)
        return -1;
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        return -1;
    return fd;
}

int main(int count, char **words) {
    struct netif netif = {0};
    ip4_addr_t address, mask, gateway;
    struct tcp_pcb *listener;

    if (count != 3 || strcmp(words[1], "--dev") != 0) {
        fprintf(stderr, "usage: %s --dev INTERFACE\n", words[0]);
        return 2;
    }
    tap = open_tap(words[2]);
    if (tap < 0) {
        fprintf(stderr, "%s: %s\n", words[2], strerror(errno));
        return 1;
    }
    lwip_init();
    IP4_ADDR(&address, 10, 77, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 0, 0, 0, 0);
    netif_add(&netif, &address, &mask, &gateway, NULL, set_up, ethernet_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    listener = tcp_new();
    if (listener == NULL || tcp_bind(listener, IP_ADDR_ANY, CHARGEN) != ERR_OK)
        return 1;
    listener = tcp_listen(listener);
    tcp_accept(listener, accepted);

    for (;;) {
        char buffer[FRAME];
        ssize_t length;
        struct pollfd waited = {.fd = tap, .events = POLLIN};
        u32_t rest;
        while ((length = read(tap, buffer, sizeof buffer)) > 0) {
            struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_POOL);
            if (frame == NULL)
                continue;
            pbuf_take(frame, buffer, (u16_t)length);
            if (netif.input(frame, &netif) != ERR_OK)
                pbuf_free(frame);
            sys_check_timeouts();
        }
        sys_check_timeouts();
        rest = sys_timeouts_sleeptime();
        poll(&waited, 1, rest > 1000 ? 1000 : (int)rest);
    }
}
