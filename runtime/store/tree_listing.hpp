// What is in a tree, as words for people, and how two trees differ. For telling, and for nothing else: what decides is
// the tree's digest, which knows more (times, extended attributes). Runs in a helper process, as all of tree.hpp.
#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace runtime::store {

// Path -> what is there: type, mode, owner, and size with digest or where a link leads. The root's path is ".".
using TreeListing = std::map<std::string, std::string>;

// Of a file or a directory. Throws as tree.hpp.
TreeListing list_tree(int parent, const std::string& name);

struct TreeDifferences {
    std::vector<std::string> paths;  // the first ones, each with how: "changed tree/x"
    std::size_t more = 0;            // that are not among them
};
// What `now` has otherwise than `before`. At most `most` are named.
TreeDifferences differences(const TreeListing& before, const TreeListing& now, std::size_t most);

}  // namespace runtime::store
