#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static const char usage[] =
    "usage: load MODE --port PORT [OPTION]...\n"
    "\n"
    "  echo         keep messages in flight, count the echoes\n"
    "  open         send at a fixed rate, measure latency from the time at which each message was due\n"
    "  handshakes   connect, shake hands, have one message echoed, reset; again and again\n"
    "  idle         open connections and hold them until standard input ends\n"
    "  percentiles  of the microseconds on standard input, one number a line; needs no server\n"
    "\n"
    "  --host ADDRESS      IPv4 address of the server (127.0.0.1)\n"
    "  --port PORT         its port\n"
    "  --pid PID           a process of the server, whose CPU time is measured; may be repeated\n"
    "  --connections N     open at a time (100; handshakes: 20)\n"
    "  --size BYTES        of each payload (20)\n"
    "  --in-flight N       echo: messages in flight on each connection (1)\n"
    "  --rate R            open: messages a second over all connections\n"
    "  --seconds S         length of the measured window (2)\n"
    "  --warm-up S         before it (0.5)\n"
    "  --payload KIND      text, binary or json (text)\n"
    "  --tls               TLS 1.3; the certificate is not verified\n"
    "  --deflate           offer permessage-deflate\n"
    "  --no-echo           handshakes: the handshake alone\n"
    "  --used-once         idle: have one message echoed on each connection\n";

static const struct option names[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"pid", required_argument, NULL, 'i'},
    {"connections", required_argument, NULL, 'c'},
    {"size", required_argument, NULL, 's'},
    {"in-flight", required_argument, NULL, 'f'},
    {"rate", required_argument, NULL, 'r'},
    {"seconds", required_argument, NULL, 't'},
    {"warm-up", required_argument, NULL, 'w'},
    {"payload", required_argument, NULL, 'k'},
    {"tls", no_argument, NULL, 'T'},
    {"deflate", no_argument, NULL, 'D'},
    {"no-echo", no_argument, NULL, 'N'},
    {"used-once", no_argument, NULL, 'U'},
    {"help", no_argument, NULL, 'H'},
    {NULL, 0, NULL, 0},
};

static const char *const modes[] = {
    [ECHO] = "echo", [OPEN_LOOP] = "open", [HANDSHAKES] = "handshakes", [IDLE] = "idle", [PERCENTILES] = "percentiles",
};
static const char *const payloads[] = {[TEXT] = "text", [BINARY] = "binary", [JSON] = "json"};

enum { MOST_PIDS = 1 << 22 }; /* of Linux */

struct options options = {
    .server = {.sin_family = AF_INET},
    .size = 20,
    .in_flight = 1,
    .seconds = 2,
    .warm_up = 0.5,
    .echo = true,
};

const char *payload_name(void)
{
    return payloads[options.payload];
}

static int choose(const char *what, const char *text, const char *const *choices, int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(text, choices[i]))
            return i;
    fail("%s is unknown: %s", what, text);
}

static double number(const char *name, const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= most))
        fail("--%s has to be %g to %.0f, not %s", name, least, most, text);
    return value;
}

static double whole(const char *name, const char *text, double most)
{
    double value = number(name, text, 1, most);
    if (value != (size_t)value)
        fail("--%s has to be a whole number, not %s", name, text);
    return value;
}

static void add_pid(const char *text)
{
    options.pids = realloc(options.pids, (options.pid_count + 1) * sizeof *options.pids);
    if (!options.pids)
        fail("no memory for %d process ids", options.pid_count + 1);
    options.pids[options.pid_count++] = whole("pid", text, MOST_PIDS);
}

static void parse_option(int option, const char *name, const char *value)
{
    switch (option) {
    case 'h':
        if (inet_pton(AF_INET, value, &options.server.sin_addr) != 1)
            fail("--host has to be an IPv4 address, not %s", value);
        break;
    case 'p':
        options.server.sin_port = htons(whole(name, value, 65535));
        break;
    case 'i':
        add_pid(value);
        break;
    case 'c':
        options.connections = whole(name, value, 100000);
        break;
    case 's':
        options.size = whole(name, value, 64 << 20);
        break;
    case 'f':
        options.in_flight = whole(name, value, 100000);
        break;
    case 'r':
        options.rate = number(name, value, 1, 10e6);
        break;
    case 't':
        options.seconds = number(name, value, 0.01, 600);
        break;
    case 'w':
        options.warm_up = number(name, value, 0, 600);
        break;
    case 'k':
        options.payload = choose("payload", value, payloads, sizeof payloads / sizeof *payloads);
        break;
    case 'T':
        options.tls = true;
        break;
    case 'D':
        options.deflate = true;
        break;
    case 'N':
        options.echo = false;
        break;
    case 'U':
        options.used_once = true;
        break;
    case 'H':
        fputs(usage, stdout);
        exit(0);
    default:
        exit(1); /* getopt_long has said on stderr what is wrong */
    }
}

void parse_options(int argc, char **argv)
{
    int option, index = 0;

    options.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while ((option = getopt_long(argc, argv, "", names, &index)) != -1)
        parse_option(option, names[index].name, optarg);
    if (optind != argc - 1)
        fail("exactly one MODE is needed; --help lists them");
    options.mode = choose("mode", argv[optind], modes, sizeof modes / sizeof *modes);
    if (!options.connections)
        options.connections = options.mode == HANDSHAKES ? 20 : 100;
    if (!options.server.sin_port && options.mode != PERCENTILES)
        fail("--port is missing");
    if (options.mode == OPEN_LOOP && !options.rate)
        fail("--rate is missing");
}
