#include "numbers.h"

int numbers_version(void)
{
	return VERSION;
}

int numbers_extra(void)
{
#ifdef EXTRA
	return 1;
#else
	return 0;
#endif
}
