// The earliest of several errors of one file, so that whoever mends a file meets them from top to bottom
// whatever order the checks run in.
#pragma once
#include <optional>

#include "sandbox/config/config.hpp"

namespace stages {

class Problems {
  public:
    // Runs a check; an error that it throws is kept if none before it in the file was seen.
    template <class Check>
    void attempt(Check&& check) {
        try {
            check();
        } catch (const sandbox::ConfigError& error) {
            if (!first_ || error.at() < first_->at()) first_.emplace(error);
        }
    }
    void raise() const {
        if (first_) throw sandbox::ConfigError(*first_);
    }

  private:
    std::optional<sandbox::ConfigError> first_;
};

}  // namespace stages
