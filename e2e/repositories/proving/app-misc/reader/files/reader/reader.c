#include <numbers.h>
#include <stdio.h>

int main(void)
{
	printf("numbers %d\n", numbers_version());
	return 0;
}
