#include "upgrade.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "options.h"

/* The key and the answer to it are the example of RFC 6455 section 1.3. */
static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char accepted[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const char *upgrade_request(void)
{
    static char request[512];

    snprintf(request, sizeof request,
             "GET /benchmark HTTP/1.1\r\nHost: localhost:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n",
             ntohs(options.server.sin_port), key,
             options.deflate ? "Sec-WebSocket-Extensions: " DEFLATE_OFFER "\r\n" : "");
    return request;
}

size_t response_length(const char *response)
{
    const char *end = strstr(response, "\r\n\r\n");
    return end ? end + 4 - response : 0;
}

/* The field's value without the spaces around it, or NULL. `head` has a zero byte after each line. */
static const char *field(char *head, const char *end, const char *name)
{
    size_t length = strlen(name);

    for (char *line = head; line < end; line += strlen(line) + 1) {
        if (strncasecmp(line, name, length) || line[length] != ':')
            continue;
        char *value = line + length + 1;
        value += strspn(value, " \t");
        for (size_t last = strlen(value); last && strchr(" \t", value[last - 1]);)
            value[--last] = 0;
        return value;
    }
    return NULL;
}

const char *read_response(char *head, struct agreement *agreement)
{
    static char refusal[128];
    const char *end = head + response_length(head) - 2;

    for (char *line = head, *line_end; (line_end = strstr(line, "\r\n")) && line < end; line = line_end + 2)
        line_end[0] = line_end[1] = 0;
    if (strncmp(head, "HTTP/1.1 101", 12)) {
        snprintf(refusal, sizeof refusal, "the handshake was refused: %.60s", head);
        return refusal;
    }
    const char *answer = field(head, end, "Sec-WebSocket-Accept");
    if (!answer || strcmp(answer, accepted))
        return "the handshake's answer has a wrong Sec-WebSocket-Accept";
    const char *extensions = field(head, end, "Sec-WebSocket-Extensions");
    memset(agreement, 0, sizeof *agreement);
    if (extensions && *extensions && !options.deflate)
        return "the server answered an extension that was not offered";
    if (extensions && strlen(extensions) >= sizeof agreement->answer)
        return "the handshake's answer has an overlong Sec-WebSocket-Extensions";
    strcpy(agreement->answer, extensions ? extensions : "");
    return read_agreement(agreement);
}
