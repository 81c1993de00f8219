// What this binary was built from.
#pragma once

namespace forger {

/// "0.1.0 (b572250)", "0.1.0 (b572250-dirty)" of a changed checkout, "0.1.0" where no commit is known.
const char* version();

}  // namespace forger
