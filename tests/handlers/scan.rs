//! What the machine code of one function does that a handler should not do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FastFormatter, FlowControl, Instruction, Mnemonic, OpKind, Register};

/// Where a jump or a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this address.
    Address(u64),
    /// To the address that stands at this one.
    Cell(u64),
    /// To an address that the code computes or reads elsewhere.
    Computed,
}

/// Something that handlers do with a reason only, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Saves a register on the host stack.
    Push,
    /// Restores one.
    Pop,
    /// Uses the host stack in another way.
    Stack,
    /// Calls a function. A next handler called instead of jumped to is one too.
    Call(Target),
    /// Jumps out of the function, to this address.
    Leave(Target),
    /// Returns.
    Return,
    /// Ends in an instruction that none follows, or beyond the function's end.
    DeadEnd,
    /// Computes with all floats of a register, whatever stands beside the one.
    Lanes,
}

/// A deed and the instruction that does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its address.
    pub at: u64,
    /// Its text.
    pub instruction: String,
    /// What it does.
    pub deed: Deed,
}

/// What a scan of a function gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// By ascending address.
    pub findings: Vec<Finding>,
    /// Jumps to an address that the code computes or reads, as a handler's
    /// next one is.
    pub computed_jumps: usize,
}

/// Scans the machine code of a function at address `start`.
///
/// All instructions are looked at, but only what can be reached from the start
/// has to end well: after the code of a handler that calls something there are
/// landing pads for unwinding.
pub fn scan(start: u64, code: &[u8]) -> Scan {
    let own = start..start + code.len() as u64;
    let instructions: BTreeMap<u64, Instruction> = Decoder::with_ip(64, code, start, DecoderOptions::NONE)
        .into_iter()
        .map(|instruction| (instruction.ip(), instruction))
        .collect();
    let mut findings: Vec<_> = instructions
        .values()
        .filter_map(|instruction| Some(finding(instruction, deed(instruction, &own)?)))
        .chain(dead_ends(&own, &instructions))
        .collect();
    findings.sort_by_key(|finding| finding.at);
    let computed_jumps = instructions
        .values()
        .filter(|instruction| {
            instruction.flow_control() == FlowControl::IndirectBranch && target(instruction) == Target::Computed
        })
        .count();
    Scan {
        findings,
        computed_jumps,
    }
}

fn target(instruction: &Instruction) -> Target {
    match instruction.op0_kind() {
        OpKind::NearBranch64 => Target::Address(instruction.near_branch_target()),
        OpKind::Memory if instruction.is_ip_rel_memory_operand() => Target::Cell(instruction.ip_rel_memory_address()),
        _ => Target::Computed,
    }
}

/// What an instruction of the function at `own` does, if it is of note.
fn deed(instruction: &Instruction, own: &Range<u64>) -> Option<Deed> {
    use FlowControl::{Call, ConditionalBranch, IndirectBranch, IndirectCall, Return, UnconditionalBranch};
    let target = target(instruction);
    let leaves = match target {
        Target::Address(at) => !own.contains(&at),
        Target::Cell(_) => true,
        Target::Computed => false,
    };
    match instruction.flow_control() {
        Call | IndirectCall => Some(Deed::Call(target)),
        Return => Some(Deed::Return),
        UnconditionalBranch | ConditionalBranch | IndirectBranch if leaves => Some(Deed::Leave(target)),
        _ => match instruction.mnemonic() {
            Mnemonic::Push => Some(Deed::Push),
            Mnemonic::Pop => Some(Deed::Pop),
            Mnemonic::Addpd
            | Mnemonic::Subpd
            | Mnemonic::Mulpd
            | Mnemonic::Divpd
            | Mnemonic::Addps
            | Mnemonic::Subps
            | Mnemonic::Mulps
            | Mnemonic::Divps => Some(Deed::Lanes),
            _ => uses_stack(instruction).then_some(Deed::Stack),
        },
    }
}

/// Whether an instruction uses the stack pointer.
fn uses_stack(instruction: &Instruction) -> bool {
    let in_address = [instruction.memory_base(), instruction.memory_index()];
    let operands = (0..instruction.op_count()).map(|i| instruction.op_register(i));
    instruction.is_stack_instruction()
        || operands
            .chain(in_address)
            .any(|register| register.full_register() == Register::RSP)
}

fn finding(instruction: &Instruction, deed: Deed) -> Finding {
    let mut text = String::new();
    FastFormatter::new().format(instruction, &mut text);
    Finding {
        at: instruction.ip(),
        instruction: text,
        deed,
    }
}

/// Where ways through a function end in neither a jump nor a return. After a
/// call such an end says that the callee does not return.
fn dead_ends(own: &Range<u64>, instructions: &BTreeMap<u64, Instruction>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut ways = vec![(own.start, Instruction::default())];
    while let Some((at, before)) = ways.pop() {
        let instruction = instructions.get(&at);
        let flow = instruction.map_or(FlowControl::Exception, Instruction::flow_control);
        if matches!(flow, FlowControl::Exception | FlowControl::Interrupt) {
            if !matches!(before.flow_control(), FlowControl::Call | FlowControl::IndirectCall) {
                found.push(finding(instruction.unwrap_or(&before), Deed::DeadEnd));
            }
            continue;
        }
        let Some(instruction) = instruction.filter(|_| seen.insert(at)) else {
            continue;
        };
        if matches!(flow, FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch)
            && let target = instruction.near_branch_target()
            && own.contains(&target)
        {
            ways.push((target, *instruction));
        }
        if !matches!(
            flow,
            FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return
        ) {
            ways.push((instruction.next_ip(), *instruction));
        }
    }
    found
}

const START: u64 = 0x1000;

/// The deeds in `code`, each with its distance from the start.
#[track_caller]
fn assert_deeds(code: &[u8], deeds: &[(u64, Deed)]) {
    let scan = scan(START, code);
    let found: Vec<_> = scan
        .findings
        .iter()
        .map(|finding| (finding.at - START, finding.deed))
        .collect();
    assert_eq!(found, deeds, "{scan:#x?}");
}

#[test]
fn a_handler_that_only_jumps_on() {
    // mov rax, [rdi+16]; add rdi, 16; jmp rax
    let code = [0x48, 0x8b, 0x47, 0x10, 0x48, 0x83, 0xc7, 0x10, 0xff, 0xe0];
    assert_deeds(&code, &[]);
    assert_eq!(scan(START, &code).computed_jumps, 1);
    // jmp [rdi]
    assert_deeds(&[0xff, 0x27], &[]);
    // test eax, eax; je +2; jmp rax; jmp rcx
    let code = [0x85, 0xc0, 0x74, 0x02, 0xff, 0xe0, 0xff, 0xe1];
    assert_deeds(&code, &[]);
    assert_eq!(scan(START, &code).computed_jumps, 2);
    // jmp to itself
    assert_deeds(&[0xeb, 0xfe], &[]);
}

#[test]
fn pushes_and_pops() {
    // push rbx; pop rbx; jmp rax
    assert_deeds(&[0x53, 0x5b, 0xff, 0xe0], &[(0, Deed::Push), (1, Deed::Pop)]);
    // push r15; pop r15; jmp rax
    let code = [0x41, 0x57, 0x41, 0x5f, 0xff, 0xe0];
    assert_deeds(&code, &[(0, Deed::Push), (2, Deed::Pop)]);
    // push on the other way only: je +2; jmp rax; push rbx; pop rbx; jmp rax
    let code = [0x74, 0x02, 0xff, 0xe0, 0x53, 0x5b, 0xff, 0xe0];
    assert_deeds(&code, &[(4, Deed::Push), (5, Deed::Pop)]);
}

#[test]
fn floats_of_all_lanes() {
    // mulpd xmm0, xmm1; jmp rax
    assert_deeds(&[0x66, 0x0f, 0x59, 0xc1, 0xff, 0xe0], &[(0, Deed::Lanes)]);
    // mulsd xmm0, xmm1; jmp rax
    assert_deeds(&[0xf2, 0x0f, 0x59, 0xc1, 0xff, 0xe0], &[]);
}

#[test]
fn other_uses_of_the_stack() {
    // sub rsp, 8; add rsp, 8; jmp rax
    let code = [0x48, 0x83, 0xec, 0x08, 0x48, 0x83, 0xc4, 0x08, 0xff, 0xe0];
    assert_deeds(&code, &[(0, Deed::Stack), (4, Deed::Stack)]);
    // movsd [rsp-8], xmm0; jmp rax
    let code = [0xf2, 0x0f, 0x11, 0x44, 0x24, 0xf8, 0xff, 0xe0];
    assert_deeds(&code, &[(0, Deed::Stack)]);
    // pushfq; popfq; jmp rax
    assert_deeds(&[0x9c, 0x9d, 0xff, 0xe0], &[(0, Deed::Stack), (1, Deed::Stack)]);
}

#[test]
fn calls_and_returns() {
    // call +0x100; ret
    let callee = Deed::Call(Target::Address(START + 0x105));
    assert_deeds(&[0xe8, 0, 1, 0, 0, 0xc3], &[(0, callee), (5, Deed::Return)]);
    // call [rip+0x100]; jmp rax
    let callee = Deed::Call(Target::Cell(START + 0x106));
    assert_deeds(&[0xff, 0x15, 0, 1, 0, 0, 0xff, 0xe0], &[(0, callee)]);
    // A lost tail call: call [rdi]; ret
    let callee = Deed::Call(Target::Computed);
    assert_deeds(&[0xff, 0x17, 0xc3], &[(0, callee), (2, Deed::Return)]);
}

#[test]
fn jumps_out_of_the_function() {
    // jmp +0x100
    let leave = Deed::Leave(Target::Address(START + 0x105));
    assert_deeds(&[0xe9, 0, 1, 0, 0], &[(0, leave)]);
    // jne +0x100; jmp rax
    let leave = Deed::Leave(Target::Address(START + 0x106));
    assert_deeds(&[0x0f, 0x85, 0, 1, 0, 0, 0xff, 0xe0], &[(0, leave)]);
    // jmp [rip+0x100]
    let leave = Deed::Leave(Target::Cell(START + 0x106));
    assert_deeds(&[0xff, 0x25, 0, 1, 0, 0], &[(0, leave)]);
}

#[test]
fn ways_that_end_in_nothing() {
    // mov rax, [rdi+16]
    assert_deeds(&[0x48, 0x8b, 0x47, 0x10], &[(0, Deed::DeadEnd)]);
    // nop; ud2
    assert_deeds(&[0x90, 0x0f, 0x0b], &[(1, Deed::DeadEnd)]);
    // je +2; jmp rax; int3
    assert_deeds(&[0x74, 0x02, 0xff, 0xe0, 0xcc], &[(4, Deed::DeadEnd)]);
    // Nothing reaches the ud2: jmp rax; ud2
    assert_deeds(&[0xff, 0xe0, 0x0f, 0x0b], &[]);
    // The callee does not return: call +0x100; ud2
    let callee = Deed::Call(Target::Address(START + 0x105));
    assert_deeds(&[0xe8, 0, 1, 0, 0, 0x0f, 0x0b], &[(0, callee)]);
    assert_deeds(&[0xe8, 0, 1, 0, 0], &[(0, callee)]);
    // Into an instruction: jmp +1; mov eax, 1; jmp rax
    assert_deeds(&[0xeb, 0x01, 0xb8, 1, 0, 0, 0, 0xff, 0xe0], &[(0, Deed::DeadEnd)]);
}
