//! The tantivy index of blocks: schema, write, candidates, vocabulary.
