//! Keeps a second process from writing the same journal.
//!
//! `std::fs::File::try_lock` exists since Rust 1.89, which is newer than our lowest version. So each
//! system has its own way. In all of them the kernel holds the lock, so it ends with the process,
//! however that ends.
//!
//! | system | lock |
//! |---|---|
//! | Linux, Android | an abstract Unix socket named after the file's device and inode (unix(7)) |
//! | macOS, BSD | `O_EXLOCK`: open(2) takes a lock as by flock(2) |
//! | Windows | a share mode that lets others only read |
//!
//! A lock does not reach other machines, and on Linux not other network namespaces, such as those of
//! containers. There the writer notices a second process by the length of the file.

use std::fs::{File, OpenOptions};
use std::io;

/// What holds a lock; dropping it releases the lock.
#[derive(Debug)]
pub(super) struct FileLock {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    _socket: Option<std::os::unix::net::UnixDatagram>,
}

/// Sets the options that lock a file when it is opened.
pub(super) fn lock_on_open(options: &mut OpenOptions) {
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ))]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // <sys/fcntl.h> of all of them.
        const O_NONBLOCK: i32 = 0x0004;
        const O_EXLOCK: i32 = 0x0020;
        options.custom_flags(O_EXLOCK | O_NONBLOCK);
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        // CreateFileW, "dwShareMode".
        const FILE_SHARE_READ: u32 = 1;
        options.share_mode(FILE_SHARE_READ);
    }
    let _ = options;
}

/// Whether opening failed because another process holds the lock.
pub(super) fn is_held(error: &io::Error) -> bool {
    // CreateFileW, ERROR_SHARING_VIOLATION.
    let violates_sharing = cfg!(windows) && error.raw_os_error() == Some(32);
    violates_sharing || (cfg!(not(windows)) && error.kind() == io::ErrorKind::WouldBlock)
}

/// Locks an open file, where that is not done by opening it. Returns `None` if another process
/// holds the lock.
pub(super) fn lock(file: &File) -> io::Result<Option<FileLock>> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::fs::MetadataExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};

        let metadata = file.metadata()?;
        let name = format!("tollgate-journal-{:x}-{:x}", metadata.dev(), metadata.ino());
        let address = SocketAddr::from_abstract_name(name)?;
        match UnixDatagram::bind_addr(&address) {
            Ok(socket) => Ok(Some(FileLock { _socket: Some(socket) })),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
            // A sandbox without Unix sockets. The length of the file is checked all the same.
            Err(_) => Ok(Some(FileLock { _socket: None })),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = file;
        Ok(Some(FileLock {}))
    }
}
