/* The load: drives a WebSocket echo server, checks what comes back, and reads from the operating system what the
 * server's processes spent on it.
 *
 *     load MODE --port PORT [--pid SERVER_PID]... [OPTION]...        (load --help lists them)
 *
 * One thread, epoll. The messages are generated, masked and compressed before the clock starts. The CPU time of the
 * server's processes is read where the window opens and where it closes. Each echo's header, length and first bytes
 * are compared with what has to come, one payload in 64 to its end (every one where a connection has only one).
 * Messages that follow each other differ, so a lost, doubled or swapped one is found. The server's pings are answered
 * and count for nothing. A wrong echo, a connection that ends or a long silence ends the program with status 1 and a
 * line on stderr.
 *
 * Prints one line of JSON. The client can be what limits the messages per second, which is why the figure to compare
 * is the server's CPU time per message.
 */
#include <signal.h>
#include <stdio.h>

#include "connections.h"
#include "modes.h"
#include "options.h"

int main(int argc, char **argv)
{
    static void (*const run[])(void) = {
        [ECHO] = run_echo,
        [OPEN_LOOP] = run_open_loop,
        [HANDSHAKES] = run_handshakes,
        [IDLE] = run_idle,
        [PERCENTILES] = run_percentiles,
    };

    parse_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (options.mode != PERCENTILES)
        make_connections();
    run[options.mode]();
    return 0;
}
