// A protobuf message as the list of its fields, and an ONNX tensor out of one: as much as it takes to read published test data.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace protobuf {

/// A varint has value, anything of stated length (text, a message, packed numbers) has bytes.
struct field {
    std::uint64_t number = 0, value = 0;
    std::string_view bytes;
};

inline std::uint64_t take_varint(std::string_view& rest) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; !rest.empty() && shift < 64; shift += 7) {
        auto const byte = static_cast<unsigned char>(rest.front());
        rest.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7fu) << shift;
        if (byte < 0x80u) return value;
    }
    throw std::runtime_error("protobuf: a number ends early");
}

/// The fields in order. Fixed 32-bit and 64-bit numbers come as their bytes.
inline std::vector<field> fields_of(std::string_view message) {
    std::vector<field> fields;
    while (!message.empty()) {
        std::uint64_t const key = take_varint(message), kind = key & 7u;
        field f{key >> 3, 0, {}};
        if (kind == 0) {
            f.value = take_varint(message);
        } else {
            std::size_t const length = kind == 1   ? 8
                                       : kind == 5 ? 4
                                       : kind == 2 ? take_varint(message)
                                                   : std::string::npos;
            if (length > message.size()) throw std::runtime_error("protobuf: a field ends early");
            f.bytes = message.substr(0, length);
            message.remove_prefix(length);
        }
        fields.push_back(f);
    }
    return fields;
}

/// Integers of a repeated field, packed or not.
inline std::vector<std::int64_t> integers(std::vector<field> const& fields, std::uint64_t number) {
    std::vector<std::int64_t> values;
    for (field f : fields) {
        if (f.number != number) continue;
        if (f.bytes.empty()) values.push_back(static_cast<std::int64_t>(f.value));
        while (!f.bytes.empty()) values.push_back(static_cast<std::int64_t>(take_varint(f.bytes)));
    }
    return values;
}

/// An ONNX TensorProto of floats or doubles; both fit in double.
struct tensor {
    std::vector<std::int64_t> shape;
    bool is_double = false;
    std::vector<double> values;

    explicit tensor(std::string_view message) {
        auto const fields = fields_of(message);
        shape = integers(fields, 1);
        std::int64_t const type = integers(fields, 2).at(0);
        if (type != 1 && type != 11) throw std::runtime_error("tensor: element type " + std::to_string(type));
        is_double = type == 11;
        std::size_t const width = is_double ? 8 : 4;
        for (field const& f : fields) {
            if (f.number != 9) continue;  // raw_data, little-endian
            for (std::size_t i = 0; i + width <= f.bytes.size(); i += width) {
                std::uint64_t bits = 0;
                for (std::size_t k = 0; k < width; ++k) {
                    bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(f.bytes[i + k])) << (8 * k);
                }
                values.push_back(is_double
                                     ? std::bit_cast<double>(bits)
                                     : static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits))));
            }
        }
        std::size_t size = 1;
        for (std::int64_t const extent : shape) size *= static_cast<std::size_t>(extent);
        if (values.size() != size) throw std::runtime_error("tensor: the shape does not hold the values");
    }
};

}  // namespace protobuf
