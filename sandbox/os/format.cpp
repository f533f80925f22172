// The code of {fmt}, compiled in this one place. Debian has no archive of it that a static program could be linked
// with, and as inline functions in every file it took two thirds of the compiler's time.
#include <fmt/format-inl.h>

namespace fmt {
namespace detail {

// What the headers declare as templates and leave to its library.
template dragonbox::decimal_fp<float> dragonbox::to_decimal(float) noexcept;
template dragonbox::decimal_fp<double> dragonbox::to_decimal(double) noexcept;
template locale_ref::locale_ref(const std::locale&);
template std::locale locale_ref::get<std::locale>() const;
template thousands_sep_result<char> thousands_sep_impl<char>(locale_ref);
template char decimal_point_impl<char>(locale_ref);
template void buffer<char>::append(const char*, const char*);
template void vformat_to<char>(buffer<char>&, string_view, basic_format_args<buffer_context<char>>, locale_ref);

}  // namespace detail
}  // namespace fmt
