// `cinnabar-server --write-reference DIR`: the pages that follow from the code.
#pragma once

#include <string>

namespace cinnabar::apps {

// Fills the folder with files at their paths below the repository's root. Returns the exit code.
int WriteReference(const std::string& folder);

}  // namespace cinnabar::apps
