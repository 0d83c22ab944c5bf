// An echo server and its client, without a dynamic linker.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.0.0.2")};
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&name, length) || listen(listener, 5)) return 1;
    if (getsockname(listener, (struct sockaddr *)&name, &length)) return 2;
    char buffer[100] = "";
    if (fork() == 0) {
        int far = accept(listener, NULL, NULL);
        ssize_t got = read(far, buffer, sizeof buffer);
        _exit(write(far, buffer, got) != got);
    }
    int near = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(near, (struct sockaddr *)&name, length)) return 3;
    if (write(near, "it works", 8) != 8 || recv(near, buffer, 8, MSG_WAITALL) != 8) return 4;
    int status;
    if (wait(&status) < 0 || status) return 5;
    return puts(buffer) < 0;
}
