//! Which system calls a scanner can do without (seccomp, with a filter in classic BPF).
//!
//! The list says what is denied, not what is allowed. A list of what is allowed would be tighter today
//! and wrong tomorrow: which calls are made is decided by the C library, the allocator, tokio and SQLite,
//! and changes with their versions (`clone3` for `clone`, `rseq`, `statx`, `futex_wait`…). A call that
//! such a list forgets ends a worker in the night, on somebody else's distribution. What is denied here
//! is denied because no version of any of them needs it, and answered with EPERM, which is an error like
//! others and can be logged; nothing is killed.
//!
//! With no capability left, most of it would be refused anyway. The filter also holds where that is not
//! so: in a user namespace, for what needs no capability (`ptrace` of one's own processes, `userfaultfd`,
//! `io_uring`, keyrings), and for `execve`.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

/// Denied whatever the arguments are.
#[rustfmt::skip]
const DENIED: &[i64] = &[
    // Other programs and other processes.
    libc::SYS_execve, libc::SYS_execveat, libc::SYS_ptrace, libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev, libc::SYS_process_madvise, libc::SYS_kcmp, libc::SYS_pidfd_getfd,
    // Another view of the file system, or files without their names.
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_move_mount,
    libc::SYS_open_tree, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick,
    libc::SYS_mount_setattr, libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init, libc::SYS_quotactl, libc::SYS_quotactl_fd, libc::SYS_acct,
    // Namespaces.
    libc::SYS_unshare, libc::SYS_setns,
    // The kernel itself.
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_kexec_load,
    libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_reboot,
    libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_syslog, libc::SYS_vhangup,
    libc::SYS_lookup_dcookie, libc::SYS_nfsservctl,
    // What exploits like to start from.
    libc::SYS_userfaultfd, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register, libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl,
    libc::SYS_personality, libc::SYS_mbind, libc::SYS_set_mempolicy, libc::SYS_migrate_pages,
    libc::SYS_move_pages, libc::SYS_memfd_secret,
    // The clock and the names of the machine.
    libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex,
    libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_landlock_restrict_self,
];

/// Those of one architecture only.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[i64] = &[
    // kexec_file_load, asm-generic/unistd.h: libc does not name it for every C library.
    294,
];

/// Each flag of clone(2) that makes a namespace; `CLONE_NEWTIME` cannot be asked for there.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Families of sockets that a scanner has no use for once its own are open.
const FAMILIES: [i32; 6] = [
    libc::AF_PACKET,
    libc::AF_ALG,
    libc::AF_VSOCK,
    libc::AF_KEY,
    libc::AF_BLUETOOTH,
    libc::AF_TIPC,
];

/// The bits of a socket's type that are not flags.
const SOCKET_TYPE: u64 = 0xf;

/// Sets the filter for this thread, and with it `no_new_privs`. Returns how many system calls it denies.
pub fn apply() -> Result<usize, seccompiler::Error> {
    let rules = rules()?;
    let denied = rules.len();
    seccompiler::apply_filter(&program(rules)?)?;
    Ok(denied)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn rules() -> Result<Rules, seccompiler::Error> {
    let mut rules: Rules = DENIED
        .iter()
        .chain(DENIED_HERE)
        .map(|&call| (call, Vec::new()))
        .collect();
    let word = |value: i32| u64::from(value.unsigned_abs());
    let condition = |argument, is, value| SeccompCondition::new(argument, Width::Dword, is, value);

    let mut sockets = Vec::new();
    for family in FAMILIES {
        sockets.push(SeccompRule::new(vec![condition(0, Is::Eq, word(family))?])?);
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        sockets.push(SeccompRule::new(vec![
            condition(0, Is::Eq, word(family))?,
            condition(1, Is::MaskedEq(SOCKET_TYPE), word(libc::SOCK_RAW))?,
        ])?);
    }
    // Routes are all that is asked of the kernel in this way.
    sockets.push(SeccompRule::new(vec![
        condition(0, Is::Eq, word(libc::AF_NETLINK))?,
        condition(2, Is::Ne, word(libc::NETLINK_ROUTE))?,
    ])?);
    rules.insert(libc::SYS_socket, sockets);

    let mut clones = Vec::new();
    for flag in NAMESPACES {
        let flag = word(flag);
        clones.push(SeccompRule::new(vec![condition(
            0,
            Is::MaskedEq(flag),
            flag,
        )?])?);
    }
    rules.insert(libc::SYS_clone, clones);
    Ok(rules)
}

fn program(rules: Rules) -> Result<BpfProgram, seccompiler::Error> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, architecture)?;
    let mut program = prelude();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// What the rules cannot say, before them.
///
/// The flags of clone3(2) lie in memory, where a filter cannot look: it is answered with ENOSYS, upon which
/// the C library uses clone(2). The x32 calls of x86-64 have the same architecture and other numbers, and
/// would pass the rules by.
fn prelude() -> BpfProgram {
    /// From the numbers of x32 calls (`__X32_SYSCALL_BIT`, asm/unistd.h).
    const X32: u32 = 0x4000_0000;
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let answer = |errno: i32| {
        let k = libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, k)
    };
    let compare = |how: u32, with: u32| instruction(libc::BPF_JMP | how | libc::BPF_K, 0, 1, with);
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or_default();
    // The number of the call is the first field of `struct seccomp_data`.
    let mut program = vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        compare(libc::BPF_JEQ, clone3),
        answer(libc::ENOSYS),
    ];
    if cfg!(target_arch = "x86_64") {
        program.extend([compare(libc::BPF_JGE, X32), answer(libc::EPERM)]);
    }
    program
}
