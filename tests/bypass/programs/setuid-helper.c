// SPDX-License-Identifier: Apache-2.0
/*
 * What a sudo rule gives: becomes root, then runs the rest of its words. Usage: setuid-helper PROGRAM WORDS.
 * It lies in a folder of the suite that is removed with it.
 */
#include <errno.h>
#include <unistd.h>

int main(int count, char **words)
{
	if (count < 2)
		return 200;
	if (setgid(0) || setuid(0))
		return errno;
	execv(words[1], words + 1);
	return errno;
}
