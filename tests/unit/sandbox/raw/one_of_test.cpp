// A value of one of several kinds, without the standard library.
#include "sandbox/raw/one_of.hpp"

#include <cstdint>
#include <type_traits>

#include "tests/support/catch.hpp"

namespace {

struct Nothing {};
struct Number {
    std::uint64_t value = 0;
};
struct Pair {
    std::uint32_t first = 1;
    std::uint32_t second = 2;
    std::uint64_t third = 3;
};
using Value = sandbox::OneOf<Nothing, Number, Pair>;

struct Words {
    std::string operator()(const Nothing& /*one*/) const { return "nothing"; }
    std::string operator()(const Number& one) const { return "number " + std::to_string(one.value); }
    std::string operator()(const Pair& one) const { return "pair up to " + std::to_string(one.third); }
};

}  // namespace

TEST_CASE("one of: a value is of the kind it was made from, and has its content", "[raw]") {
    const Value number(Number{42});
    CHECK(number.is<Number>());
    CHECK_FALSE(number.is<Nothing>());
    CHECK(number.as<Number>().value == 42);
    CHECK(number.visit(Words()) == "number 42");
    CHECK(Value(Nothing{}).visit(Words()) == "nothing");
    CHECK(Value(Pair{}).visit(Words()) == "pair up to 3");
}

TEST_CASE("one of: a copy is of the same kind, and the value can be copied byte by byte", "[raw]") {
    Value one(Pair{4, 5, 6});
    const Value copy = one;
    CHECK(copy.as<Pair>().second == 5);
    one = Nothing{};
    CHECK(one.is<Nothing>());
    CHECK(copy.visit(Words()) == "pair up to 6");
    CHECK(std::is_trivially_copyable_v<Value>);
}

TEST_CASE("one of: a visitor may change what it has", "[raw]") {
    int calls = 0;
    const auto count = [&calls](const auto& /*one*/) { return ++calls; };
    CHECK(Value(Nothing{}).visit(count) == 1);
    CHECK(Value(Number{}).visit(count) == 2);
}
