/* SPDX-License-Identifier: GPL-2.0 */
/* One row of decisions.test.ts: the question, what it reads, and room for the answer. */
#ifndef SALLYPORT_ROW_H
#define SALLYPORT_ROW_H

enum question {
	ROW_DECIDE = 0,
	ROW_SOCKET_KIND = 1, /* family, type, protocol */
	ROW_PORT = 2, /* port, listener port */
	ROW_PACKET = 3, /* admission, device index, quarantined */
	ROW_PIN = 4,
	ROW_LOOPBACK = 5,
};

struct row {
	__u32 question;
	__u32 answer;
	__u32 numbers[3];
	__u8 has_exact;
	__u8 has_any;
	__u8 padding[2];
	struct sallyport_destination exact;
	struct sallyport_destination any;
	struct flow flow;
	struct verdict verdict;
};
SALLYPORT_SIZE(row, 72);

#endif
