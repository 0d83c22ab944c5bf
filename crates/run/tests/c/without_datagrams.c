/* Makes ping do without ICMP datagram sockets, as where they are forbidden: it takes a raw one then. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

int socket(int domain, int type, int protocol) {
    int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    if ((type & 15) == SOCK_DGRAM && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)) {
        errno = EACCES;
        return -1;
    }
    return real(domain, type, protocol);
}
