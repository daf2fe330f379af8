// The kernels of all that is computed in double.
#include "kernels.hpp"

SOFTAX_KERNELS_IN_DOUBLE()
