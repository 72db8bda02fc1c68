//! Running a script, directive by directive: [`run_script`].

use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use vm::{Engine, Error, Trap};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::Span;
use wast::{QuoteWat, QuoteWatTest, Wast, WastDirective, WastExecute, WastThread, Wat};

use crate::machine::Machine;
use crate::problem::Problem;
use crate::report::{Failure, Report};
use crate::watchdog::Watchdog;
use crate::{custom, legacy, value};

/// Runs a script in a store of its own and says which of its directives hold.
///
/// A script that takes longer than `limit` is interrupted; it and a script in
/// which the vm panics are given up, and the directives left count as failed.
/// The limit is on guest code: translation and the script's parsing do not look
/// at it. A text that is no script gives one failure.
#[must_use]
pub fn run_script(engine: &Engine, text: &str, limit: Duration) -> Report {
    let mut report = Report::default();
    let text = &*legacy::flat(text);
    let run = catch(|| match parse_and_run(engine, text, limit) {
        Ok(report) => report,
        Err(error) => {
            let span = error.span();
            let mut report = Report::default();
            report.fail(failure(text, span, "script", &Problem::Text(error)));
            report
        }
    });
    match run {
        Ok(run) => report.add(run),
        Err(panic) => report.fail(failure(text, Span::from_offset(0), "script", &panic)),
    }
    report
}

fn parse_and_run(engine: &Engine, text: &str, limit: Duration) -> Result<Report, wast::Error> {
    let mut lexer = Lexer::new(text);
    // The suite has characters in its names that can hide other text.
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer)?;
    let script = parser::parse::<Wast<'_>>(&buffer)?;
    Ok(Thread::run(engine, text, limit, script.directives))
}

/// A thread of a script: it has a store of its own.
struct Thread<'a> {
    engine: &'a Engine,
    text: &'a str,
    limit: Duration,
    machine: Machine,
    /// The threads it has started.
    started: HashSet<String>,
    report: Report,
}

impl Thread<'_> {
    /// Runs directives on a new thread's behalf, from first to last.
    fn run(engine: &Engine, text: &str, limit: Duration, directives: Vec<WastDirective<'_>>) -> Report {
        let mut report = Report::default();
        let machine = match Machine::new(engine) {
            Ok(machine) => machine,
            Err(error) => {
                report.fail(failure(text, Span::from_offset(0), "script", &error.into()));
                report.give_up(directives.len());
                return report;
            }
        };
        let watchdog = Watchdog::start(machine.interrupt_handle(), limit);
        let mut thread = Thread {
            engine,
            text,
            limit,
            machine,
            started: HashSet::new(),
            report,
        };
        let mut left = directives.len();
        for directive in directives {
            left -= 1;
            let (span, keyword) = (directive.span(), keyword(&directive));
            let mut problem = catch(|| thread.directive(directive)).and_then(|outcome| outcome).err();
            let expired = watchdog.expired();
            if expired && problem.is_some() {
                problem = Some(Problem::TooLong(limit));
            }
            match &problem {
                None => thread.report.pass(),
                Some(problem) => thread.report.fail(failure(text, span, keyword, problem)),
            }
            if expired || matches!(problem, Some(Problem::Panic { .. })) {
                thread.report.give_up(left);
                break;
            }
        }
        thread.report
    }

    /// Carries out a directive.
    ///
    /// # Errors
    ///
    /// Why it does not hold.
    fn directive(&mut self, directive: WastDirective<'_>) -> Result<(), Problem> {
        let machine = &mut self.machine;
        match directive {
            WastDirective::Module(module) => {
                machine.leave();
                let name = module.name();
                let module = machine.load(&encode(module)?)?;
                machine.define(name, module.clone());
                let instance = machine.instantiate(&module)?;
                machine.enter(name, instance);
                Ok(())
            }
            WastDirective::ModuleDefinition(module) => {
                let name = module.name();
                let module = machine.load(&encode(module)?)?;
                machine.define(name, module);
                Ok(())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let module = machine.definition(module)?;
                let made = machine.instantiate(&module)?;
                machine.enter(instance, made);
                Ok(())
            }
            WastDirective::Register { name, module, .. } => machine.register(name, module),
            WastDirective::Invoke(call) => machine.invoke(&call).map(drop),
            WastDirective::AssertReturn { mut exec, results, .. } => {
                let got = machine.execute(&mut exec)?;
                value::compare(machine.store(), &got, &results)
            }
            WastDirective::AssertTrap { exec, message, .. } => self.fails(exec, "a trap", message, is_trap),
            WastDirective::AssertExhaustion { call, message, .. } => {
                self.fails(WastExecute::Invoke(call), "exhaustion", message, is_exhaustion)
            }
            WastDirective::AssertUnlinkable { module, message, .. } => {
                self.fails(WastExecute::Wat(module), "a link error", message, is_unlinkable)
            }
            WastDirective::AssertException { exec, .. } => self.fails(exec, "an exception", "any", is_exception),
            WastDirective::AssertSuspension { exec, message, .. } => {
                self.fails(exec, "a suspension", message, is_suspension)
            }
            WastDirective::AssertMalformed { module, message, .. }
            | WastDirective::AssertInvalid { module, message, .. } => self.is_refused(module, message),
            WastDirective::AssertMalformedCustom { module, message, .. }
            | WastDirective::AssertInvalidCustom { module, message, .. } => self.has_bad_custom(module, message),
            WastDirective::Thread(thread) => self.thread(thread),
            WastDirective::Wait { thread, .. } => match self.started.remove(thread.name()) {
                true => Ok(()),
                false => Err(Problem::Unknown {
                    kind: "thread",
                    name: thread.name().to_owned(),
                }),
            },
        }
    }

    /// Wants an action to fail in a certain way.
    fn fails(
        &mut self,
        mut action: WastExecute<'_>,
        outcome: &'static str,
        wanted: &str,
        is_outcome: fn(&Error) -> bool,
    ) -> Result<(), Problem> {
        match self.machine.execute(&mut action) {
            Ok(got) => Err(Problem::Succeeded {
                outcome,
                wanted: wanted.to_owned(),
                got: value::show(&got),
            }),
            Err(Problem::Vm(error)) if is_outcome(&error) => Ok(()),
            Err(Problem::Vm(error)) => Err(Problem::FailedOtherwise {
                outcome,
                wanted: wanted.to_owned(),
                error: Box::new(error),
            }),
            Err(problem) => Err(problem),
        }
    }

    /// Wants a module to be refused before it is instantiated: as text, when
    /// it is encoded, or as a binary.
    fn is_refused(&self, module: QuoteWat<'_>, wanted: &str) -> Result<(), Problem> {
        let bytes = match encode(module) {
            Ok(bytes) => bytes,
            Err(Problem::Text(_)) => return Ok(()),
            Err(problem) => return Err(problem),
        };
        match self.machine.load(&bytes) {
            Err(Error::Load(_)) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Problem::Accepted {
                wanted: wanted.to_owned(),
            }),
        }
    }

    /// Wants a module to be malformed as text, or to have custom sections that
    /// are malformed or invalid. They are no reason to refuse the module.
    fn has_bad_custom(&self, module: QuoteWat<'_>, wanted: &str) -> Result<(), Problem> {
        let bytes = match encode(module) {
            Ok(bytes) => bytes,
            Err(Problem::Text(_)) => return Ok(()),
            Err(problem) => return Err(problem),
        };
        self.machine.load(&bytes)?;
        match custom::check(&bytes) {
            Err(_) => Ok(()),
            Ok(()) => Err(Problem::Accepted {
                wanted: wanted.to_owned(),
            }),
        }
    }

    /// Runs another thread to its end where it is started, which is one of the
    /// orders that scripts allow; its directives count as this script's.
    fn thread(&mut self, thread: WastThread<'_>) -> Result<(), Problem> {
        if thread.shared_module.is_some() {
            return Err(Problem::Unsupported("instances shared by threads"));
        }
        let report = Thread::run(self.engine, self.text, self.limit, thread.directives);
        self.report.add(report);
        self.started.insert(thread.name.name().to_owned());
        Ok(())
    }
}

/// A module's bytes.
///
/// # Errors
///
/// [`Problem::Text`] if its text is malformed; [`Problem::Unsupported`] for
/// components.
fn encode(mut module: QuoteWat<'_>) -> Result<Vec<u8>, Problem> {
    if matches!(module, QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..)) {
        return Err(Problem::Unsupported("components"));
    }
    let span = module.span();
    match module.to_test()? {
        QuoteWatTest::Binary(bytes) => Ok(bytes),
        QuoteWatTest::Text(text) => {
            let text = std::str::from_utf8(&text)
                .map_err(|_| wast::Error::new(span, "malformed UTF-8 encoding".to_owned()))?;
            // As for the script itself.
            let text = legacy::flat(text);
            let mut lexer = Lexer::new(&text);
            lexer.allow_confusing_unicode(true);
            let buffer = ParseBuffer::new_with_lexer(lexer)?;
            Ok(parser::parse::<Wat<'_>>(&buffer)?.encode()?)
        }
    }
}

/// A trap that a guest's own doing gave.
fn is_trap(error: &Error) -> bool {
    !matches!(error.trap(), None | Some(Trap::Interrupt | Trap::OutOfFuel))
}

fn is_exhaustion(error: &Error) -> bool {
    error.trap() == Some(Trap::StackOverflow)
}

fn is_unlinkable(error: &Error) -> bool {
    matches!(error, Error::Link(_))
}

/// Whether an error is an exception that nobody caught.
fn is_exception(error: &Error) -> bool {
    matches!(error, Error::Exception(_))
}

/// Nothing the vm can give yet: it does not know suspensions.
fn is_suspension(_: &Error) -> bool {
    false
}

/// Calls `f` and makes a panic in it a problem.
fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Problem> {
    // A script is given up after a panic, so nothing looks at broken state.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Problem::Panic {
        message: panic_message(&*payload),
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "not a text".to_owned(),
    }
}

fn failure(text: &str, span: Span, directive: &'static str, problem: &Problem) -> Failure {
    let (line, column) = span.linecol_in(text);
    Failure {
        line: line + 1,
        column: column + 1,
        directive,
        message: problem.to_string(),
    }
}

/// The word that opens a directive.
fn keyword(directive: &WastDirective<'_>) -> &'static str {
    match directive {
        WastDirective::Module(_) => "module",
        WastDirective::ModuleDefinition(_) => "module definition",
        WastDirective::ModuleInstance { .. } => "module instance",
        WastDirective::AssertMalformed { .. } => "assert_malformed",
        WastDirective::AssertInvalid { .. } => "assert_invalid",
        WastDirective::AssertInvalidCustom { .. } => "assert_invalid_custom",
        WastDirective::AssertMalformedCustom { .. } => "assert_malformed_custom",
        WastDirective::Register { .. } => "register",
        WastDirective::Invoke(_) => "invoke",
        WastDirective::AssertTrap { .. } => "assert_trap",
        WastDirective::AssertReturn { .. } => "assert_return",
        WastDirective::AssertExhaustion { .. } => "assert_exhaustion",
        WastDirective::AssertUnlinkable { .. } => "assert_unlinkable",
        WastDirective::AssertException { .. } => "assert_exception",
        WastDirective::AssertSuspension { .. } => "assert_suspension",
        WastDirective::Thread(_) => "thread",
        WastDirective::Wait { .. } => "wait",
    }
}
