// Catch2 2.13 and 3 from one source, and the check that an exception carries its message.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

/// Requires that the expression throws that type of exception and that its message contains the words.
#define REQUIRE_FAILS(expression, exception, words)         \
    do {                                                    \
        std::string message_ = "(nothing was thrown)";      \
        try {                                               \
            static_cast<void>(expression);                  \
        } catch (exception const& e_) {                     \
            message_ = e_.what();                           \
        }                                                   \
        INFO(#expression << " says: " << message_);         \
        REQUIRE(message_.find(words) != std::string::npos); \
    } while (false)
