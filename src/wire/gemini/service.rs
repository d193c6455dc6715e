//! How Google's two services of Gemini differ.

/// What a service accepts beyond what both have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Service {
    /// What errors call it.
    pub(super) name: &'static str,
    /// Whether a function call and its result carry an id. Without one, the order matches them.
    pub(super) call_ids: bool,
    /// Where files by id are.
    pub(super) files: Files,
    /// Whether `includeServerSideToolInvocations` is accepted.
    pub(super) tool_invocations: bool,
}

/// Where a service keeps uploaded files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// Google's Files API (ai.google.dev/api/files). The media type is known there.
    Uploaded,
    /// Cloud Storage, by `gs://` addresses. Each needs its media type
    /// (googleapis/googleapis `google/cloud/aiplatform/v1/content.proto`, `FileData`).
    CloudStorage,
}

impl Service {
    /// The Gemini API.
    pub(in crate::wire) const GEMINI: Self =
        Self { name: "Gemini", call_ids: true, files: Files::Uploaded, tool_invocations: true };

    /// Vertex AI. It rejects a call with an id: "Unknown name "id" at
    /// 'contents[1].parts[0].function_call': Cannot find field." (vercel/ai #15664,
    /// pydantic/pydantic-ai #5081), and python-genai refuses `includeServerSideToolInvocations`
    /// for it (`models.py`, `_ToolConfig_to_vertex`).
    pub(in crate::wire) const VERTEX: Self = Self {
        name: "Vertex AI",
        call_ids: false,
        files: Files::CloudStorage,
        tool_invocations: false,
    };
}
