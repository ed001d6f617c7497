/* What the command line says. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum mode { ECHO, OPEN_LOOP, HANDSHAKES, IDLE, PERCENTILES };
enum payload { TEXT, BINARY, JSON };

struct options {
    enum mode mode;
    struct sockaddr_in server;
    pid_t *pids; /* the server's processes, whose CPU time is read */
    int pid_count;
    int connections;
    size_t size; /* bytes of a payload */
    size_t in_flight;
    double seconds, warm_up;
    double rate; /* messages a second, over all connections */
    enum payload payload;
    bool tls, deflate;
    bool echo;      /* `handshakes`: have one message echoed on each connection */
    bool used_once; /* `idle`: the same */
};

/* Set once, before anything else happens. */
extern struct options options;

void parse_options(int argc, char **argv);

/* `text`, `binary` or `json`. */
const char *payload_name(void);

#endif
