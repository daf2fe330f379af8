// expect: deleted
// The array would be gone before the view is used.
#include <softax/softax.hpp>

softax::array<float> make();
void f() { softax::view<float> v = make(); }
