// The kernels of all that is computed in float.
#include "kernels.hpp"

SOFTAX_KERNELS_IN_FLOAT()
