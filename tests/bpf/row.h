/* SPDX-License-Identifier: GPL-2.0 */
/* One row of rows.ts: the question, what it reads, and room for the answer. */
#ifndef SALLYPORT_ROW_H
#define SALLYPORT_ROW_H

enum question {
	ROW_DECIDE = 0,
	ROW_SOCKET_KIND = 1, /* family, type, protocol */
	ROW_PORT = 2, /* port, listener port */
	ROW_PACKET = 3, /* admission, device index, quarantined, observed */
	ROW_PIN = 4,
	ROW_LOOPBACK = 5,
	ROW_RAISES = 6, /* admission before, admission of the datagram */
	ROW_GLOB = 7, /* glob, path */
	ROW_UNIT = 8, /* glob against the last part, if the path lies in the system's slices */
	ROW_CLIMBS = 9, /* path */
};

#define ROW_PATH_BYTES 256

struct row {
	__u32 question;
	__u32 answer;
	__u32 numbers[4];
	__u8 has_exact;
	__u8 has_any;
	__u8 padding[2];
	struct sallyport_destination exact;
	struct sallyport_destination any;
	struct flow flow;
	struct verdict verdict;
	__u8 more_padding[4];
};
SALLYPORT_SIZE(row, 88);

/* What is too long for the stack of a program follows the row. */
struct long_row {
	struct row row;
	char glob[SALLYPORT_GLOB_BYTES];
	char path[ROW_PATH_BYTES];
};
SALLYPORT_SIZE(long_row, 472);

#endif
