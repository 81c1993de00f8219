// The options of the methods that every recipe has; docs/methods.md tells what they do.
#pragma once

#include "models/config.h"

namespace forger {

Option integer_option(std::string name, int64_t value, double low, double high, std::string help);
Option real_option(std::string name, double value, double low, double high, std::string help);
Option choice_option(std::string name, std::string value, std::vector<std::string> choices, std::string help);

/// Of losses, regularisers, averages and classes; all off. `classes`: how many the data has.
std::vector<Option> method_options(int64_t classes);

}  // namespace forger
