//! Files, descriptors and readiness. Numbers of Linux on x86-64.

/// Names and numbers.
#[rustfmt::skip]
pub(super) const NAMES: &[(&str, i64)] = &[
    ("O_RDONLY", 0), ("O_WRONLY", 1), ("O_RDWR", 2), ("O_ACCMODE", 3), ("O_CREAT", 0x40),
    ("O_EXCL", 0x80), ("O_NOCTTY", 0x100), ("O_TRUNC", 0x200), ("O_APPEND", 0x400),
    ("O_NONBLOCK", 0x800), ("O_CLOEXEC", 0x80000),

    ("F_DUPFD", 0), ("F_GETFD", 1), ("F_SETFD", 2), ("F_GETFL", 3), ("F_SETFL", 4), ("F_GETLK", 5),
    ("F_SETLK", 6), ("F_SETLKW", 7), ("F_SETOWN", 8), ("F_GETOWN", 9), ("F_SETSIG", 10),
    ("F_GETSIG", 11), ("F_DUPFD_CLOEXEC", 0x406), ("FD_CLOEXEC", 1), ("SEEK_SET", 0), ("SEEK_CUR", 1),
    ("SEEK_END", 2),

    ("FIONREAD", 0x541b), ("FIONBIO", 0x5421), ("SIOCINQ", 0x541b), ("SIOCOUTQ", 0x5411),
    ("SIOCOUTQNSD", 0x894b), ("SIOCATMARK", 0x8905),

    ("POLLIN", 1), ("POLLPRI", 2), ("POLLOUT", 4), ("POLLERR", 8), ("POLLHUP", 0x10),
    ("POLLNVAL", 0x20), ("POLLRDNORM", 0x40), ("POLLRDBAND", 0x80), ("POLLWRNORM", 0x100),
    ("POLLWRBAND", 0x200), ("POLLMSG", 0x400), ("POLLREMOVE", 0x1000), ("POLLRDHUP", 0x2000),

    ("EPOLLIN", 1), ("EPOLLPRI", 2), ("EPOLLOUT", 4), ("EPOLLERR", 8), ("EPOLLHUP", 0x10),
    ("EPOLLRDNORM", 0x40), ("EPOLLRDBAND", 0x80), ("EPOLLWRNORM", 0x100), ("EPOLLWRBAND", 0x200),
    ("EPOLLMSG", 0x400), ("EPOLLRDHUP", 0x2000), ("EPOLLEXCLUSIVE", 0x10000000),
    ("EPOLLWAKEUP", 0x20000000), ("EPOLLONESHOT", 0x40000000), ("EPOLLET", 0x80000000),
    ("EPOLL_CTL_ADD", 1), ("EPOLL_CTL_MOD", 3), ("EPOLL_CTL_DEL", 2), ("EPOLL_CLOEXEC", 0x80000),

    ("SPLICE_F_MOVE", 1), ("SPLICE_F_NONBLOCK", 2), ("SPLICE_F_MORE", 4), ("SPLICE_F_GIFT", 8),
];
