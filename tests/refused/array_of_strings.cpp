// expect: element type
#include <softax/softax.hpp>

#include <string>

softax::array<std::string> a;
