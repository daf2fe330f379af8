// expect: element type
// Refused, and the words stand in the source line that the compiler shows; the error itself says something else.
#include <softax/softax.hpp>

int f() { return nothing_of_that_name; /* element type */ }
