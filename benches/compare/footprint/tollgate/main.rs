use tollgate::Client;

fn main() -> Result<(), tollgate::Error> {
    let client = Client::openai("gpt-4o-mini")?;
    let response = client.chat("What is the capital of France?")?;
    println!("{}", response.text());
    Ok(())
}
