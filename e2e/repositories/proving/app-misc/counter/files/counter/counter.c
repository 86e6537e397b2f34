#include <numbers.h>
#include <stdio.h>
#include "config.h"
#include "made-by.h"

#ifndef EXTRA
#define EXTRA 0
#endif

int main(void)
{
	const char *greeting = "nobody patched this";
	const char *user = "no user did";

	printf("%s, %s: numbers %d, extra %d and %d, %s\n", greeting, user, numbers_version(), numbers_extra(), EXTRA, MADE_BY);
	return 0;
}
