//! Finds Google Cloud's credentials.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::GoogleCredentials;
use super::file::{self, Source};
use crate::provider::auth::Read;

/// The largest credentials file that is read. Real ones have about 2 KB.
const MAX_BYTES: u64 = 1024 * 1024;

/// Finds the application default credentials, see [`GoogleCredentials::find`].
pub(crate) fn find(read: Read<'_>) -> Result<GoogleCredentials, String> {
    let quota_project = read("GOOGLE_CLOUD_QUOTA_PROJECT")?;
    let made = |source| GoogleCredentials::new(source, Vec::new(), quota_project.clone());
    if let Some(path) = read(FILE_VARIABLE)? {
        let source = read_file(Path::new(&path));
        let source = source.map_err(|problem| format!("{FILE_VARIABLE}: {problem}"))?;
        return Ok(made(source));
    }
    let mut looked_at = vec![format!("{FILE_VARIABLE} is not set")];
    match gcloud_file(read)? {
        Some(path) if path.exists() => return Ok(made(read_file(&path)?)),
        Some(path) => looked_at.push(format!("there is no {}", path.display())),
        None => looked_at.push("gcloud has no folder for its login".to_owned()),
    }
    // A machine whose metadata server is named has one.
    if let Some(host) = read("GCE_METADATA_HOST")? {
        return Ok(made(Source::metadata(Some(host))));
    }
    // google-auth `_metadata.py`, `is_on_gce`.
    if read("NO_GCE_CHECK")?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(format!(
            "found no Google Cloud credentials: {}, and NO_GCE_CHECK rules out the metadata \
             server; run `gcloud auth application-default login`, or set {FILE_VARIABLE} to a \
             service account's file",
            looked_at.join(", ")
        ));
    }
    Ok(GoogleCredentials::new(Source::metadata(None), looked_at, quota_project))
}

const FILE_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// The file that `gcloud auth application-default login` writes (google-auth `_cloud_sdk.py`).
fn gcloud_file(read: Read<'_>) -> Result<Option<PathBuf>, String> {
    const NAME: &str = "application_default_credentials.json";
    if let Some(folder) = read("CLOUDSDK_CONFIG")? {
        return Ok(Some(Path::new(&folder).join(NAME)));
    }
    let folder = match cfg!(windows) {
        true => read("APPDATA")?.map(PathBuf::from),
        false => read("HOME")?.map(|home| Path::new(&home).join(".config")),
    };
    Ok(folder.map(|folder| folder.join("gcloud").join(NAME)))
}

/// Reads a credentials file.
pub(super) fn read_file(path: &Path) -> Result<Source, String> {
    let shown = path.display();
    let unreadable = |cause: &std::io::Error| match cause.kind() {
        ErrorKind::NotFound => format!("there is no file {shown}; correct the path"),
        _ => format!("the file {shown} cannot be read: {cause}"),
    };
    let length = fs::metadata(path).map_err(|cause| unreadable(&cause))?.len();
    if length > MAX_BYTES {
        return Err(format!(
            "the file {shown} has {length} bytes, too many for credentials; correct the path"
        ));
    }
    let text = fs::read_to_string(path).map_err(|cause| unreadable(&cause))?;
    file::parse(&text).map_err(|problem| format!("the Google credentials in {shown} {problem}"))
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::{service_account, user};
    use super::*;
    use std::env;
    use std::process;

    /// A folder that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("tollgate-google-{}-{name}", process::id()));
            fs::create_dir_all(path.join(".config/gcloud")).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> String {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn found(variables: &[(&str, &str)]) -> Result<GoogleCredentials, String> {
        find(&|name| {
            let found = variables.iter().find(|(set, _)| *set == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    #[cfg(not(windows))]
    #[test]
    fn credentials_are_looked_for_in_googles_order() {
        let folder = Folder::new("order");
        let home = folder.0.to_str().unwrap();
        let key = folder.write("key.json", &service_account().to_string());
        let no_login =
            format!("there is no {home}/.config/gcloud/application_default_credentials.json");
        // Nothing but the metadata server.
        let metadata = found(&[("HOME", home)]).unwrap();
        assert_eq!(
            format!("{metadata:?}"),
            "GoogleCredentials { source: Metadata(169.254.169.254) }"
        );
        assert_eq!(
            metadata.inner.looked_at,
            ["GOOGLE_APPLICATION_CREDENTIALS is not set", no_login.as_str()]
        );
        let named = found(&[("HOME", home), ("GCE_METADATA_HOST", "127.0.0.1:1")]).unwrap();
        assert!(
            format!("{named:?}").contains("Metadata(127.0.0.1:1)")
                && named.inner.looked_at.is_empty()
        );
        let problem = found(&[("HOME", home), ("NO_GCE_CHECK", "True")]).unwrap_err();
        assert!(problem.contains(&no_login) && problem.contains("run `gcloud"), "{problem}");
        // gcloud's login.
        folder.write(".config/gcloud/application_default_credentials.json", &user().to_string());
        let login = found(&[("HOME", home)]).unwrap();
        assert!(format!("{login:?}").contains("User([hidden])"));
        assert_eq!(login.inner.quota_project.as_deref(), Some("q-1"));
        let config = folder.0.join(".config/gcloud");
        let other =
            [("CLOUDSDK_CONFIG", config.to_str().unwrap()), ("GOOGLE_CLOUD_QUOTA_PROJECT", "q-2")];
        assert_eq!(found(&other).unwrap().inner.quota_project.as_deref(), Some("q-2"));
        // The variable comes first.
        let both = found(&[("HOME", home), ("GOOGLE_APPLICATION_CREDENTIALS", &key)]).unwrap();
        assert!(format!("{both:?}").contains("ServiceAccount(me@p-1.iam.gserviceaccount.com)"));
        assert_eq!(both.known_project(), Some("p-1"));
    }

    #[test]
    fn an_unusable_file_is_named() {
        let folder = Folder::new("unusable");
        let bad = folder.write("bad.json", "{\"type\": \"service_account\"}");
        let missing = folder.0.join("none.json").to_str().unwrap().to_owned();
        for (path, expected) in [
            (bad, "have no \"client_email\""),
            (missing, "there is no file"),
            (folder.0.to_str().unwrap().to_owned(), "cannot be read"),
        ] {
            let problem = found(&[("GOOGLE_APPLICATION_CREDENTIALS", &path)]).unwrap_err();
            assert!(problem.starts_with("GOOGLE_APPLICATION_CREDENTIALS: "), "{problem}");
            assert!(problem.contains(expected) && problem.contains(&path), "{problem}");
        }
    }
}
