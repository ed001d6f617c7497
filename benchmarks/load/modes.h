/* What the program can do; each prints one line of JSON. */
#ifndef LOAD_MODES_H
#define LOAD_MODES_H

/* A closed loop: IN_FLIGHT messages on each connection; each echo is replaced by a new message. */
void run_echo(void);

/* An open loop: messages are due at a fixed rate, whatever comes back. */
void run_open_loop(void);

/* Connections that are opened, perhaps used once, and reset, again and again. */
void run_handshakes(void);

/* Connections that are opened, perhaps used once, and held. */
void run_idle(void);

/* Of numbers on standard input: the histogram, for whoever wants to check it. */
void run_percentiles(void);

#endif
