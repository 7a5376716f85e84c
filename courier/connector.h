/*
 * The connector: a second process of the courier that does one thing, connecting to the post's Unix socket.
 *
 * The courier itself may make no Unix socket once its sandbox is closed: on one machine and under one user it
 * could else connect to any other Unix socket there, such as the one by which officers read the record. So
 * the connector is forked first, knows one path, and hands over descriptors of connections to it. It reads
 * one byte for each, of no meaning, and ends when the courier does.
 */
#ifndef COURIER_CONNECTOR_H
#define COURIER_CONNECTOR_H

#include <stdbool.h>

#include <sys/types.h>

#include "base/error.h"

/*
 * Forks the connector for `path` (under SOCKET_PATH_SIZE_MAX bytes). *channel: the courier's end,
 * non-blocking, which closes when the connector ends; *process for connector_wait(). Call before any thread,
 * lock or key is there. sandbox: whether the connector closes its own; where it cannot, it ends at once, and
 * the courier will find the same. ERROR_IO with errno. In the child it does not return.
 */
enum error connector_start(const char *path, bool sandbox, int *channel, pid_t *process);

/*
 * Waits until the connector has ended, which it does once the channel is closed, so that none is left when
 * the courier is gone. Not for long: one that hangs in a connect() is killed by the courier's own end.
 */
void connector_wait(pid_t process);

/* Asks for a connection; the answer comes on `channel`. ERROR_CLOSED if the connector is gone. */
enum error connector_ask(int channel);

/*
 * Reads an answer. ERROR_NOT_NOW: none is there yet. ERROR_OK: *connection is a connected socket,
 * non-blocking, the caller's to close. ERROR_IO: the connection could not be made; *number is the errno.
 * ERROR_CLOSED: the connector is gone.
 */
enum error connector_answer(int channel, int *connection, int *number);

#endif
