// Objects of C libraries in unique_ptr: std::unique_ptr<BIO, FreedBy<BIO_free_all>>.
#pragma once

namespace mailstead {

template <auto Free>
struct FreedBy {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};

}  // namespace mailstead
