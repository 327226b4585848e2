//! The chapter's minimal web server as a program.

fn main() -> std::io::Result<()> {
    example_web::run()
}
