//! The address of Vertex AI: host, project and location.

use std::sync::Arc;

use super::Environment;
use super::setters::Setters;
use crate::header::HeaderList;
use crate::provider::Credentials;
#[cfg(feature = "vertex")]
use crate::provider::find_google_credentials;
use crate::url::Url;

/// The environment variables that name the project: those of vercel/ai, of Google itself (google-auth
/// `environment_vars.py`), of anthropic-sdk-python and of LiteLLM.
const PROJECT_VARIABLES: [&str; 5] = [
    "GOOGLE_VERTEX_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "VERTEXAI_PROJECT",
];

/// The environment variables that name the location: those of vercel/ai, python-genai,
/// anthropic-sdk-python and LiteLLM.
const LOCATION_VARIABLES: [&str; 4] =
    ["GOOGLE_VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION", "VERTEXAI_LOCATION"];

/// Finds Google Cloud's own credentials, for a client without a key or credentials, and the project
/// that they name.
#[cfg(feature = "vertex")]
pub(super) fn default_credentials(
    environment: &Environment<'_>,
    _setters: Setters,
) -> Result<(Arc<dyn Credentials>, Option<String>), String> {
    let found = find_google_credentials(&|name| environment.read(name))?;
    let project = found.known_project().map(str::to_owned);
    Ok((Arc::new(found), project))
}

/// Refuses a client without a key or credentials.
#[cfg(not(feature = "vertex"))]
pub(super) fn default_credentials(
    _environment: &Environment<'_>,
    setters: Setters,
) -> Result<(Arc<dyn Credentials>, Option<String>), String> {
    Err(format!(
        "no credentials for vertex; enable tollgate's feature \"vertex\", which finds those of \
         Google Cloud, or call {} with a source of tokens, or set the environment variable \
         GOOGLE_VERTEX_API_KEY to an API key of express mode",
        setters.call("credentials", "…"),
    ))
}

/// The placeholder for the project in a base URL, which the credentials fill in.
pub(crate) const PROJECT: &str = "{project}";

/// The header that asks for a service tier instead of a member of the body
/// (docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo).
const TIER: &str = "x-vertex-ai-llm-shared-request-type";

/// Returns the service tier that the headers ask for, if it costs more than the standard one.
pub(super) fn costlier_tier(headers: &HeaderList) -> Option<&'static str> {
    let asked = headers.get(TIER)?.as_str();
    asked.trim().eq_ignore_ascii_case("priority").then_some("priority")
}

/// The base URL of express mode, whose paths name no project
/// (docs.cloud.google.com/vertex-ai/generative-ai/docs/start/express-mode).
const EXPRESS: &str = "https://aiplatform.googleapis.com/v1";

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Express mode: the API key belongs to a project, so the path names none.
    Express,
    /// A location, and the project if it is known.
    Project { project: Option<String>, location: String },
}

impl Place {
    /// Finds the project and the location: the ones that the program set, otherwise the
    /// environment's. An API key means express mode unless the program set either. The default
    /// location is `global`, as in python-genai (`_api_client.py`).
    pub(super) fn find(
        project: Option<&str>,
        location: Option<&str>,
        has_key: bool,
        environment: &Environment<'_>,
    ) -> Result<Self, String> {
        if has_key && project.is_none() && location.is_none() {
            return Ok(Self::Express);
        }
        let find = |set: Option<&str>, names: &[&str]| match set {
            Some(value) => Ok(Some(value.to_owned())),
            None => names.iter().try_fold(None, |found: Option<String>, name| {
                if found.is_some() { Ok(found) } else { environment.read(name) }
            }),
        };
        let project = find(project, &PROJECT_VARIABLES)?;
        let location = find(location, &LOCATION_VARIABLES)?;
        let location = location.unwrap_or_else(|| "global".to_owned());
        if let Some(project) = project.as_deref().filter(|project| !is_segment(project)) {
            return Err(format!(
                "the Google Cloud project is {project:?}, which is not a project's id; set one \
                 such as \"my-project-123\""
            ));
        }
        if !is_segment(&location) || location.contains([':', '.']) {
            return Err(format!(
                "{location:?} is not a Google Cloud location; set \"global\", a region such as \
                 \"us-central1\", or \"us\" or \"eu\""
            ));
        }
        Ok(Self::Project { project, location })
    }

    /// Uses the project of the credentials if no other is known.
    pub(super) fn or_project(self, other: Option<String>) -> Self {
        match self {
            Self::Project { project: None, location } => Self::Project { project: other, location },
            known => known,
        }
    }

    /// Returns the base URL at Google.
    pub(super) fn base_url(&self) -> String {
        match self {
            Self::Express => EXPRESS.to_owned(),
            Self::Project { location, .. } => {
                format!("https://{}/v1{}", host(location), self.path())
            }
        }
    }

    /// Adds the project and the location to a base URL without them, and the version of the API if
    /// the base URL has no path.
    pub(super) fn complete(&self, base: Url) -> Url {
        let path = base.path().trim_end_matches('/');
        let is_whole = path.contains("/projects/") || *self == Self::Express;
        if is_whole && !path.is_empty() {
            return base;
        }
        let version = if path.is_empty() { "/v1" } else { "" };
        let query = base.query().map(|query| format!("?{query}")).unwrap_or_default();
        let whole = format!("{path}{version}{}{query}", self.path());
        base.with_target(&whole).unwrap_or(base)
    }

    fn path(&self) -> String {
        match self {
            Self::Express => String::new(),
            Self::Project { project, location } => {
                let project = project.as_deref().unwrap_or(PROJECT);
                format!("/projects/{project}/locations/{location}")
            }
        }
    }
}

/// Returns the host that serves a location: regional, multi-regional or global (python-genai
/// `_api_client.py`; anthropic-sdk-python `lib/vertex/_client.py`).
fn host(location: &str) -> String {
    match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}

/// Returns true if a text can be one segment of a path. The ids of old projects contain a domain
/// (`example.com:my-project`).
fn is_segment(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fit) && text.bytes().any(|byte| byte != b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        (project, location): (Option<&str>, Option<&str>),
        has_key: bool,
        variables: &[(&str, &str)],
    ) -> Result<String, String> {
        let environment = Environment::new(|name| {
            let found = variables.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let place = Place::find(project, location, has_key, &environment)?;
        Ok(place.base_url())
    }

    #[test]
    fn project_and_location_make_the_address() {
        let p = "p1";
        let global = "https://aiplatform.googleapis.com/v1/projects/p1/locations/global";
        let region = "https://us-east5-aiplatform.googleapis.com/v1/projects/p1/locations/us-east5";
        let eu = "https://aiplatform.eu.rep.googleapis.com/v1/projects/p1/locations/eu";
        let none = (None, None);
        for (set, has_key, variables, expected) in [
            ((Some(p), None), false, &[][..], global),
            ((Some(p), Some("us-east5")), false, &[], region),
            ((Some(p), Some("eu")), false, &[], eu),
            (none, false, &[("GOOGLE_CLOUD_PROJECT", p)], global),
            (none, false, &[("ANTHROPIC_VERTEX_PROJECT_ID", p), ("CLOUD_ML_REGION", "eu")], eu),
            (
                none,
                false,
                &[
                    ("GOOGLE_VERTEX_PROJECT", p),
                    ("GOOGLE_CLOUD_PROJECT", "other"),
                    ("GOOGLE_VERTEX_LOCATION", "us-east5"),
                    ("GOOGLE_CLOUD_LOCATION", "eu"),
                ],
                region,
            ),
            ((Some(p), None), false, &[("GOOGLE_VERTEX_PROJECT", "other")], global),
            // The credentials know the project.
            (
                none,
                false,
                &[],
                "https://aiplatform.googleapis.com/v1/projects/{project}/locations/global",
            ),
            // An API key knows it too, unless the program sets one.
            (none, true, &[("GOOGLE_CLOUD_PROJECT", p)], EXPRESS),
            ((Some(p), None), true, &[], global),
        ] {
            let found = find(set, has_key, variables);
            assert_eq!(found.as_deref(), Ok(expected), "{variables:?}");
        }
    }

    #[test]
    fn what_no_path_can_carry_is_refused() {
        for (project, location, expected) in [
            ("my project", None, "is not a project's id"),
            ("a/b", None, "is not a project's id"),
            ("..", None, "is not a project's id"),
            ("p", Some("us-central1.evil.example"), "is not a Google Cloud location"),
            ("p", Some("a/b"), "set \"global\""),
            ("p", Some(""), "set \"global\""),
        ] {
            let problem = find((Some(project), location), false, &[]).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
        assert!(find((Some("example.com:p-1"), None), false, &[]).is_ok());
    }

    #[test]
    fn a_base_url_without_a_project_is_completed() {
        let place = Place::Project { project: Some("p".into()), location: "eu".into() };
        let whole = "/projects/p/locations/eu";
        for (base, place, expected) in [
            ("https://gw.test", &place, format!("https://gw.test/v1{whole}")),
            ("https://gw.test/v1beta1/", &place, format!("https://gw.test/v1beta1{whole}")),
            ("https://gw.test/a/v1?b=c", &place, format!("https://gw.test/a/v1{whole}?b=c")),
            (
                "https://gw.test/v1/projects/q/locations/us",
                &place,
                "https://gw.test/v1/projects/q/locations/us".to_owned(),
            ),
            ("https://gw.test", &Place::Express, "https://gw.test/v1".to_owned()),
            ("https://gw.test/v1beta1", &Place::Express, "https://gw.test/v1beta1".to_owned()),
        ] {
            assert_eq!(place.complete(base.parse().unwrap()), expected.as_str(), "{base}");
        }
    }
}
