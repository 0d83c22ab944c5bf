/* lwIP without threads, with buffers like the other peers' (see ../src/lib.rs), and its TCP with everything it has. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_STATS 0
#define LWIP_UDP 0

/* Memory from malloc, as much as is asked for. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8

#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 7
#define TCP_WND (4 << 20)
#define TCP_SND_BUF (4 << 20)
/* Two buffers a segment, as lwIP recommends, and some to spare. */
#define TCP_SND_QUEUELEN (4 * (TCP_SND_BUF / TCP_MSS))
/* The default, half of the buffer, is more than lwIP can tell a program of. */
#define TCP_SNDLOWAT (8 * TCP_MSS)
#define MEMP_NUM_TCP_SEG TCP_SND_QUEUELEN
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_TIMESTAMPS 1
#define TCP_OVERSIZE TCP_MSS

#define LWIP_RAND() ((u32_t)rand())

#endif
